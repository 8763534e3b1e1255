#include "bpf/hooks/maps.h"

struct ks_map_scratch ks_scratch SEC(".maps");
struct ks_map_ring ks_ring SEC(".maps");
struct ks_map_ring ks_ring_context SEC(".maps");
struct ks_map_sequence ks_sequence SEC(".maps");
struct ks_map_inodes ks_inodes SEC(".maps");
struct ks_map_exited ks_exited SEC(".maps");
struct ks_map_captured ks_captured SEC(".maps");
struct ks_map_captured_names ks_captured_names SEC(".maps");
struct ks_map_captured_paths ks_captured_paths SEC(".maps");
struct ks_map_living ks_living SEC(".maps");
struct ks_map_forkers ks_forkers SEC(".maps");
struct ks_map_living_since ks_living_since SEC(".maps");
struct ks_map_walk ks_walk SEC(".maps");
struct ks_map_limits ks_limits SEC(".maps");
struct ks_map_limit_holds ks_limit_holds SEC(".maps");
struct ks_map_limit_secret ks_limit_secret SEC(".maps");
struct ks_map_unread_args ks_unread_args SEC(".maps");
struct ks_map_operations ks_operations SEC(".maps");
struct ks_map_active ks_active SEC(".maps");
#define KS_BANK(hook) struct ks_map_bank ks_bank_##hook SEC(".maps");
KS_HOOKS(KS_BANK)
KS_EXIT_HOOKS(KS_BANK)

char ks_license[] SEC("license") = "GPL";
