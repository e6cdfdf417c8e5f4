"""PyPI's kubernetes client runs commands in the container of the Pod `web`."""

from kubernetes import client, config
from kubernetes.stream import stream

config.load_kube_config()
core = client.CoreV1Api()


def run(command, **more):
    return stream(
        core.connect_get_namespaced_pod_exec, "web", "default", command=command, stderr=True, stdout=True, tty=False, **more
    )


assert run(["echo", "from the container"], stdin=False) == "from the container\n"

# Input, output, errors and the exit code, each by its channel.
session = run(["sh", "-c", "read line; echo got $line; echo aside >&2; exit 3"], stdin=True, _preload_content=False)
session.write_stdin("words\n")
out, err = "", ""
while session.is_open():
    session.update(timeout=10)
    out += session.read_stdout() if session.peek_stdout() else ""
    err += session.read_stderr() if session.peek_stderr() else ""
assert out == "got words\n", out
assert err == "aside\n", err
assert session.returncode == 3, session.returncode
print("python client: all well")
