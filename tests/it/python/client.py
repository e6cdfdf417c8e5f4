"""PyPI's kubernetes client against the server that KUBECONFIG names: CRUD, watch, port-forward."""

import socket
import sys

from kubernetes import client, config, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward

config.load_kube_config()
core = client.CoreV1Api()
apps = client.AppsV1Api()
image = sys.argv[1]

# CRUD and the errors that the client makes of a Status.
body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="py", labels={"from": "python"}), data={"a": "1"})
made = core.create_namespaced_config_map("default", body)
assert made.metadata.uid and made.data == {"a": "1"}, made
try:
    core.create_namespaced_config_map("default", body)
    raise SystemExit("a second creation succeeded")
except ApiException as error:
    assert error.status == 409 and "AlreadyExists" in error.body, error
made.data["b"] = "2"
changed = core.replace_namespaced_config_map("py", "default", made)
assert changed.data == {"a": "1", "b": "2"}
try:
    core.replace_namespaced_config_map("py", "default", made)
    raise SystemExit("an old resourceVersion was taken")
except ApiException as error:
    assert error.status == 409 and "Conflict" in error.body, error
patched = core.patch_namespaced_config_map("py", "default", {"data": {"a": None}})
assert patched.data == {"b": "2"}, patched.data
listed = core.list_namespaced_config_map("default", label_selector="from=python")
assert [item.metadata.name for item in listed.items] == ["py"]

# A watch from the list's revision sees what happens after it, in order.
core.patch_namespaced_config_map("py", "default", {"data": {"c": "3"}})
core.delete_namespaced_config_map("py", "default")
seen = []
for event in watch.Watch().stream(
    core.list_namespaced_config_map,
    "default",
    label_selector="from=python",
    resource_version=listed.metadata.resource_version,
    timeout_seconds=20,
):
    seen.append(event["type"])
    if event["type"] == "DELETED":
        break
assert seen == ["MODIFIED", "DELETED"], seen

# Every kind of a file, by the client's own applier.
utils.create_from_dict(
    client.ApiClient(),
    {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "py"}, "spec": {
        "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}}},
    namespace="default",
)
assert client.BatchV1Api().read_namespaced_cron_job("py", "default").spec.schedule == "0 0 1 1 *"

# A Pod, and a connection to it by the client's own port-forward (plain channels, not SPDY).
core.create_namespaced_pod("default", client.V1Pod(
    metadata=client.V1ObjectMeta(name="py"),
    spec=client.V1PodSpec(containers=[client.V1Container(
        name="c", image=image, ports=[client.V1ContainerPort(container_port=8080)])])))
for event in watch.Watch().stream(
    core.list_namespaced_pod, "default", field_selector="metadata.name=py", timeout_seconds=60
):
    conditions = event["object"].status.conditions or []
    if any(one.type == "Ready" and one.status == "True" for one in conditions):
        break
else:
    raise SystemExit("the Pod did not become ready")
forward = portforward(core.connect_get_namespaced_pod_portforward, "py", "default", ports="8080")
connection = forward.socket(8080)
connection.setblocking(True)
connection.sendall(b"GET / HTTP/1.1\r\nHost: py\r\nConnection: close\r\n\r\n")
answer = b""
while True:
    data = connection.recv(4096)
    if not data:
        break
    answer += data
connection.shutdown(socket.SHUT_RDWR)
assert answer.startswith(b"HTTP/1.1 200"), answer
assert forward.error(8080) is None, forward.error(8080)
core.delete_namespaced_pod("py", "default", grace_period_seconds=0)
print("python client: all well")
