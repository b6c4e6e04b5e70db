"""The manifests render, what is rendered fits together, and scripts/deploy goes its steps in order and stops where it should."""

import json
import os
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from harness import MCPD, PATIENCE_S, ROOT

OVERLAYS = sorted((ROOT / "deploy/kubernetes/overlays").iterdir())
KUBECTL = os.environ.get("KUBECTL", "kubectl")
COMPONENT = "app.kubernetes.io/component"


def render(overlay):
    done = subprocess.run([KUBECTL, "kustomize", overlay], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return read(done.stdout)


def kubectl(text, *words):
    """What a local command of kubectl makes of the documents, and what it says."""
    done = subprocess.run([KUBECTL, *words, "--local", "-f", "-", "-o", "json"], input=text, capture_output=True, text=True)
    documents, rest = [], done.stdout.strip()
    while rest:
        one, end = json.JSONDecoder().raw_decode(rest)
        documents.append(one)
        rest = rest[end:].lstrip()
    return documents, done.stderr


def read(text):
    """The documents, as they stand and as kubectl's own types read them: a wrong type is an error there, and in what has pods a
    name that they do not know is missing afterwards."""
    documents, said = kubectl(text, "label", "checked=yes")
    assert documents and not said, said
    typed, said = kubectl(text, "set", "env", "CHECKED=yes")
    assert "decode" not in said, said
    owners = of(documents, "StatefulSet", "Deployment")
    assert set(owners) == set(of(typed, "StatefulSet", "Deployment"))
    for name, known in of(typed, "StatefulSet", "Deployment").items():
        unknown = names(owners[name]) - names(known)
        del unknown["checked"]
        assert not unknown, f"{name} has unknown fields: {unknown}"
    return documents


def names(value):
    if isinstance(value, list):
        return sum((names(one) for one in value), Counter())
    if isinstance(value, dict):
        return Counter(list(value)) + sum((names(one) for one in value.values()), Counter())
    return Counter()


def of(documents, *kinds):
    return {one["metadata"]["name"]: one for one in documents if one["kind"] in kinds}


def fits(labels, selector):
    return all(labels.get(name) == value for name, value in selector.items())


def check_pod(owner, documents):
    """What the restricted Pod Security Standard asks for, and that each reference leads somewhere."""
    spec, labels = owner["spec"]["template"]["spec"], owner["spec"]["template"]["metadata"]["labels"]
    assert fits(labels, owner["spec"]["selector"]["matchLabels"])
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] in of(documents, "ServiceAccount")
    security = spec["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] == 65532 and security["seccompProfile"]["type"] == "RuntimeDefault"
    (container,) = spec["containers"]
    inner = container["securityContext"]
    assert inner["readOnlyRootFilesystem"] and not inner["allowPrivilegeEscalation"] and inner["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]
    assert ":" in container["image"], "an image without a tag"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"]["path"] == path and container[probe]["httpGet"]["port"] in ports
    volumes = {one["name"]: one for one in spec.get("volumes", [])}
    claimed = {one["metadata"]["name"] for one in owner["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes) | claimed
    for one in volumes.values():
        if "persistentVolumeClaim" in one:
            assert one["persistentVolumeClaim"]["claimName"] in of(documents, "PersistentVolumeClaim")
    return container, labels, ports


def test_manifests_fit_together():
    assert len(OVERLAYS) >= 3
    for overlay in OVERLAYS:
        documents = render(overlay)
        pods = {name: check_pod(owner, documents) for name, owner in of(documents, "StatefulSet", "Deployment").items()}
        for service in of(documents, "Service").values():
            (found,) = [(labels, ports) for _, labels, ports in pods.values() if fits(labels, service["spec"]["selector"])]
            assert all(port["targetPort"] in found[1] for port in service["spec"]["ports"])
        for one in of(documents, "PodDisruptionBudget").values():
            assert any(fits(labels, one["spec"]["selector"]["matchLabels"]) for _, labels, _ in pods.values())
        policies = of(documents, "NetworkPolicy")
        assert set(policies) == set(pods), "a pod without a network policy"
        for name, policy in policies.items():
            assert fits(pods[name][1], policy["spec"]["podSelector"]["matchLabels"])
            assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
            for rule in policy["spec"]["ingress"]:
                assert rule["from"], "everybody may come in"
        for one in of(documents, "Ingress").values():
            backends = [path["backend"]["service"] for rule in one["spec"]["rules"] for path in rule["http"]["paths"]]
            assert all(backend["name"] in of(documents, "Service") for backend in backends) and one["spec"]["tls"]
        assert not of(documents, "Secret")
        namespaces = {one["metadata"].get("namespace") for one in documents if one["kind"] != "Namespace"}
        assert namespaces == set(of(documents, "Namespace"))
        assert {one["metadata"]["labels"].get(COMPONENT) for one in documents} <= {"control-plane", "gateway"}
        if "mcplocal" in pods:  # no credential, and nothing but the control plane to talk to
            container = pods["mcplocal"][0]
            assert not any("valueFrom" in one for one in container["env"]) and "envFrom" not in container
            url = next(one["value"] for one in container["env"] if one["name"] == "MCPLOCAL_MCPD_URL")
            assert url == "http://mcpd:3100"
            assert of(documents, "Service")["mcp"]


def test_state_is_a_folder_in_its_volume():
    """A claim's own folder belongs to root, with fsGroup, and mcpd keeps state and cache in folders of its own alone."""
    for overlay in OVERLAYS:
        for owner in of(render(overlay), "StatefulSet", "Deployment").values():
            (container,) = owner["spec"]["template"]["spec"]["containers"]
            folders = [one["value"] for one in container["env"] if one["name"] in ("MCPD_DATA_DIR", "MCPLOCAL_CACHE_DIR")]
            assert len(folders) == 1 and str(Path(folders[0]).parent) in {one["mountPath"] for one in container["volumeMounts"]}


def test_metrics_component():
    """Only who asks for it has metrics on an address that others reach, and then with a token and a network policy."""
    for overlay in OVERLAYS:
        assert "ADMIN" not in json.dumps(render(overlay))
        with tempfile.TemporaryDirectory(dir=overlay.parent) as folder:
            base, component = os.path.relpath(overlay, folder), os.path.relpath(overlay.parents[1] / "components/metrics", folder)
            Path(folder, "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{component}]\n")
            documents = render(folder)
        for name, owner in of(documents, "StatefulSet", "Deployment").items():
            container, _, ports = check_pod(owner, documents)
            settings = {one["name"].split("_", 1)[1]: one["value"] for one in container["env"]}
            assert settings["ADMIN_LISTEN"] == f"0.0.0.0:{ports['metrics']}"
            mount = next(one for one in container["volumeMounts"] if one["name"] == "metrics")
            assert settings["ADMIN_TOKEN_FILE"] == mount["mountPath"] + "/token" and mount["readOnly"]
            policy = of(documents, "NetworkPolicy")[name]
            assert any(rule["ports"] == [{"port": "metrics"}] and rule["from"] for rule in policy["spec"]["ingress"])
        assert not of(documents, "Secret")


def test_sessions_stay_at_their_gateway():
    for overlay in OVERLAYS:
        documents = render(overlay)
        gateway = of(documents, "Deployment").get("mcplocal")
        if not gateway or gateway["spec"]["replicas"] < 2:
            continue
        assert of(documents, "Service")["mcp"]["spec"]["sessionAffinity"] == "ClientIP"
        key = of(documents, "Ingress")["mcp"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/upstream-hash-by"]
        assert key.startswith("$http_mcp_session_id"), key
        break
    else:
        raise AssertionError("no overlay has more than one gateway")


def test_what_does_not_fit_is_noticed():
    """The checks above can fail: a name that Kubernetes does not know, a wrong type, a selector that selects nothing."""
    rendered = subprocess.run([KUBECTL, "kustomize", OVERLAYS[0]], capture_output=True, text=True, check=True).stdout
    for pattern, other in ((r"readOnlyRootFilesystem:", "readOnlyRootFilesytem:"), (r"containerPort: \d+", "containerPort: [1]"),
                           (r"policyTypes:", "policyTypes: 1\n  x:")):
        assert re.search(pattern, rendered)
        try:
            read(re.sub(pattern, other, rendered))
        except AssertionError:
            continue
        raise AssertionError(f"{other} was taken")
    documents = read(rendered)
    (owner,) = of(documents, "StatefulSet").values()
    owner["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "other"
    try:
        check_pod(owner, documents)
    except AssertionError:
        return
    raise AssertionError("a selector that selects nothing was taken")


def test_settings_are_taken():
    """The program itself accepts what the manifests and the image set."""
    image = {}
    for line in (ROOT / "deploy/Dockerfile").read_text().splitlines():
        if line.startswith("ENV "):
            image |= dict(pair.split("=", 1) for pair in line.split()[1:])
    assert len(image) >= 4
    for overlay in OVERLAYS:
        for owner in of(render(overlay), "StatefulSet", "Deployment").values():
            (container,) = owner["spec"]["template"]["spec"]["containers"]
            known = image | {one["name"]: one["value"] for one in container["env"]}
            done = subprocess.run([MCPD, *container.get("args", []), "--print-effective-config"], env=known, capture_output=True,
                                  text=True, timeout=PATIENCE_S)
            assert done.returncode == 0, done.stderr
            port = container["ports"][0]["containerPort"]
            assert str(port) in done.stdout and "0.0.0.0" in done.stdout, done.stdout


class Cluster:
    """A kubectl that notes what it is asked for and answers as if a cluster were there; kustomize is the real one's."""

    def __init__(self, folder, running="", diff=0, failing=""):
        self.calls = Path(folder, "calls")
        self.calls.touch()
        self.kubectl = Path(folder, "kubectl")
        self.kubectl.write_text(f"""#!/bin/sh
[ "$1" = kustomize ] && exec {KUBECTL} "$@"
echo "kubectl $*" >> {self.calls}
case "$1 $2 $3 $4 $5" in *"{failing or "?"}"*) exit 7 ;; esac
case "$1" in get) printf %s "{running}" ;; diff) exit {diff} ;; esac
""")
        self.builder = Path(folder, "builder")
        self.builder.write_text(f"#!/bin/sh\necho \"builder $1\" >> {self.calls}\n")
        for program in (self.kubectl, self.builder):
            program.chmod(0o755)

    def deploy(self, *words):
        known = os.environ | {"KUBECTL": str(self.kubectl), "BUILDER": str(self.builder), "MCPGW_URL": "http://127.0.0.1:1"}
        done = subprocess.run([ROOT / "scripts/deploy", *words], env=known, capture_output=True, text=True, timeout=PATIENCE_S)
        return done, [" ".join(line.split()[:3]) for line in self.calls.read_text().splitlines()]


def test_deploy_in_order():
    overlay = str(ROOT / "deploy/kubernetes/overlays/production")
    steps = ["builder build", "builder push", "kubectl get statefulset", "kubectl diff -f", "kubectl apply -f",
             "kubectl rollout status", "kubectl apply -f", "kubectl rollout status"]
    with tempfile.TemporaryDirectory() as folder:
        done, calls = Cluster(folder, running="mcptoken:0.0.9").deploy(overlay, "example/mcptoken:1")
        assert done.returncode == 0 and "WARNING" in done.stderr, done  # no gateway to smoke-test here
        assert calls == steps, calls
        applied = [line for line in Path(folder, "calls").read_text().splitlines() if "apply" in line or "rollout" in line]
        assert [word in line for word, line in zip(("=control-plane", "statefulset/mcpd", "=gateway", "deployment/mcplocal"), applied)] \
            == [True] * 4, applied
    with tempfile.TemporaryDirectory() as folder:  # the first time there is nothing to compare with
        done, calls = Cluster(folder).deploy("--no-build", overlay, "example/mcptoken:1")
        assert done.returncode == 0 and calls == [steps[2], *steps[4:]], (done, calls)
    with tempfile.TemporaryDirectory() as folder:  # without a gateway in the overlay
        done, calls = Cluster(folder).deploy("--no-build", str(ROOT / "deploy/kubernetes/overlays/all-in-one"), "example/mcptoken:1")
        assert done.returncode == 0 and calls == [steps[2], *steps[4:6]], (done, calls)


def test_deploy_stops():
    overlay = str(ROOT / "deploy/kubernetes/overlays/production")
    for cluster, words, code, last in (
            ({"running": "mcptoken:1", "diff": 1}, [], 1, "kubectl diff -f"),
            ({"running": "mcptoken:1", "diff": 1}, ["--accept-drift"], 0, "kubectl rollout status"),
            ({"running": "mcptoken:1", "diff": 2}, ["--accept-drift"], 1, "kubectl diff -f"),
            ({"failing": "rollout status statefulset"}, [], 7, "kubectl rollout status")):
        with tempfile.TemporaryDirectory() as folder:
            done, calls = Cluster(folder, **cluster).deploy("--no-build", *words, overlay, "example/mcptoken:1")
            assert done.returncode == code and calls[-1] == last, (cluster, done, calls)
    with tempfile.TemporaryDirectory() as folder:
        for words in ([overlay], [overlay, "no-tag"], [overlay, "a b:1"], [overlay, "a#b:1"], [overlay, "a&b:1"],
                      [overlay, "registry.example:5000/mcptoken"], [overlay, "mcptoken:"], ["--what", overlay, "a:1"]):
            done, calls = Cluster(folder).deploy(*words)
            assert done.returncode == 64 and not calls, (words, done)
