#!/usr/bin/env python3
"""The manifests below tools/k8s: their structure, and what their commands do, run here.

  k8s.py FOLDER KSC POLICY TRACES OUT     FOLDER: tools/k8s · POLICY: holds policy.kspb and trust.pub · writes OUT/alerts.jsonl
"""
import os
import pathlib
import subprocess
import sys

import yaml

folder, ksc, policy, traces, out = [pathlib.Path(one) for one in sys.argv[1:]]

# What the API knows of an object, as far as it is used: a name that is not here would be refused, or worse, ignored.
CONTAINER = {
    "name": str, "image": str, "command": [str], "args": [str],
    "env": [{"name": str, "value": str}],
    "resources": {"requests": {"cpu": str, "memory": str}, "limits": {"memory": str}},
    "securityContext": {"allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "capabilities": {"drop": [str]}},
    "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
}
POD = {
    "restartPolicy": str, "automountServiceAccountToken": bool, "enableServiceLinks": bool,
    "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int, "seccompProfile": {"type": str}},
    "initContainers": [CONTAINER], "containers": [CONTAINER],
    "volumes": [{"name": str, "configMap": {"name": str}, "secret": {"secretName": str}, "emptyDir": {},
                 "persistentVolumeClaim": {"claimName": str, "readOnly": bool}}],
}
JOB = {
    "apiVersion": str, "kind": str, "metadata": {"name": str},
    "spec": {"completionMode": str, "completions": int, "parallelism": int, "backoffLimit": int, "suspend": bool,
             "template": {"metadata": {"labels": {"app.kubernetes.io/name": str}}, "spec": POD}},
}
KUSTOMIZATION = {"apiVersion": str, "kind": str, "resources": [str], "images": [{"name": str, "newTag": str}], "patches": [{"path": str}]}


def check(value, form, where):
    if isinstance(form, dict):
        assert isinstance(value, dict), f"{where} is no object"
        for key, one in value.items():
            assert key in form, f"{where}.{key} is unknown"
            if one is not None:  # of a patch: takes it away
                check(one, form[key], f"{where}.{key}")
    elif isinstance(form, list):
        assert isinstance(value, list), f"{where} is no list"
        for i, one in enumerate(value):
            check(one, form[0], f"{where}[{i}]")
    else:
        assert type(value) is form, f"{where} is no {form.__name__}"


def load(path):
    return yaml.safe_load((folder / path).read_text())


def harmless(pod, containers):
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault" and not pod["automountServiceAccountToken"]
    for one in containers:
        own = one["securityContext"]
        assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"] and own["capabilities"]["drop"] == ["ALL"]
        known = {volume["name"] for volume in pod["volumes"]}
        assert all(mount["name"] in known for mount in one["volumeMounts"]), "a mount of no volume"


def run(container, **environment):
    command = container["args"][0]
    for inside, here in (("/policy/", policy), ("/archive/", traces), ("/parts/", out)):
        command = command.replace(inside, f"{here}/")
    command = command.replace("ksc ", f"{ksc} ")
    env = {**os.environ, **{one["name"]: one["value"] for one in container.get("env", [])}, **environment}
    subprocess.run(container["command"] + [command], env=env, check=True)


job, merge, bucket = load("job.yaml"), load("merge.yaml"), load("bucket/bucket.yaml")
for name, one in (("job", job), ("merge", merge), ("bucket", bucket)):
    check(one, JOB, name)
for path in (".", "bucket"):
    kustomization = load(f"{path}/kustomization.yaml")
    check(kustomization, KUSTOMIZATION, path)
    for resource in kustomization["resources"] + [patch["path"] for patch in kustomization.get("patches", [])]:
        assert (folder / path / resource).exists(), resource
pod = job["spec"]["template"]["spec"]
harmless(pod, pod["containers"])
harmless(merge["spec"]["template"]["spec"], merge["spec"]["template"]["spec"]["containers"])
# The patch is merged into the job by name.
assert bucket["metadata"]["name"] == job["metadata"]["name"]
added = bucket["spec"]["template"]["spec"]
harmless({**pod, "volumes": pod["volumes"] + added["volumes"]}, added["initContainers"])
spec = job["spec"]
assert spec["completionMode"] == "Indexed" and spec["parallelism"] <= spec["completions"]
[shard] = pod["containers"]
assert {one["name"]: one["value"] for one in shard["env"]}["SHARDS"] == str(spec["completions"])

for index in range(spec["completions"]):
    run(shard, JOB_COMPLETION_INDEX=str(index))
run(merge["spec"]["template"]["spec"]["containers"][0])
print(f"{spec['completions']} shards")
