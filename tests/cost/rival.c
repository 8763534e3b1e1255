// Attaches all programs of an object, says so, and keeps them until its input ends.
#include <bpf/libbpf.h>
#include <stdio.h>

int main(int argc, char **argv) {
  struct bpf_object *object = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
  if (!object || bpf_object__load(object) != 0) return 1;
  struct bpf_program *program;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__attach(program)) return 2;
  }
  printf("ready\n");
  fflush(stdout);
  while (getchar() != EOF) {
  }
  return 0;
}
