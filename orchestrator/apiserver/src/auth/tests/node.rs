use super::authorize::ask;
use super::world::{House, pod};
use crate::auth::{Attributes, restrict_node};
use crate::identity::Identity;
use serde_json::{Value, json};

fn node(name: &str) -> Identity {
    Identity::user(&format!("system:node:{name}"), &["system:nodes"])
}

fn house() -> House {
    let house = House::new();
    house.world.put(&pod("shop", "web", "n1", json!({
        "serviceAccountName": "web",
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [{
            "name": "c",
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env-key", "key": "k"}}}],
            "envFrom": [{"configMapRef": {"name": "env-all"}}],
        }],
        "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "init-all"}}]}],
        "volumes": [
            {"name": "a", "secret": {"secretName": "vol"}},
            {"name": "b", "configMap": {"name": "vol"}},
            {"name": "c", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, {"secret": {"name": "proj"}}]}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "e", "ephemeral": {"volumeClaimTemplate": {}}},
            {"name": "f", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "csi-key"}}},
            {"name": "g", "iscsi": {"secretRef": {"name": "iscsi-key"}}},
        ],
        "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}],
    })));
    let kept = |kind: &str, group: &str, name: &str, spec: Value| {
        house
            .world
            .put(&json!({"apiVersion": format!("{group}v1"), "kind": kind, "metadata": {"name": name}, "spec": spec}));
    };
    let csi = json!({"nodeStageSecretRef": {"namespace": "keys", "name": "stage"},
        "controllerPublishSecretRef": {"namespace": "keys", "name": "control"}});
    kept("PersistentVolume", "", "mine", json!({"claimRef": {"namespace": "shop", "name": "data"}, "csi": csi}));
    kept("PersistentVolume", "", "own", json!({"claimRef": {"namespace": "shop", "name": "web-e"}}));
    let others = json!({"claimRef": {"namespace": "shop", "name": "x"}, "csi": {"nodeStageSecretRef": {"namespace": "keys", "name": "else"}}});
    kept("PersistentVolume", "", "others", others);
    for (name, node) in [("va1", "n1"), ("va2", "n2")] {
        kept("VolumeAttachment", "storage.k8s.io/", name, json!({"nodeName": node}));
        kept("ResourceSlice", "resource.k8s.io/", name, json!({"nodeName": node}));
    }
    house.world.put(&pod("shop", "db", "n2", json!({"volumes": [{"name": "a", "secret": {"secretName": "db"}}]})));
    let mut mirror =
        pod("shop", "mirror", "n1", json!({"volumes": [{"name": "a", "secret": {"secretName": "stolen"}}]}));
    mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = json!("x");
    house.world.put(&mirror);
    house
}

#[tokio::test]
async fn a_node_reaches_what_belongs_to_it_and_its_pods() {
    let house = house();
    let table = [
        ("get core/secrets shop vol", true),
        ("get core/secrets shop env-key", true),
        ("get core/secrets shop init-all", true),
        ("get core/secrets shop pull", true),
        ("watch core/secrets shop proj", true),
        ("get core/configmaps shop vol", true),
        ("get core/configmaps shop env-all", true),
        ("list core/configmaps shop kube-root-ca.crt", true),
        ("get core/persistentvolumeclaims shop data", true),
        ("get core/persistentvolumeclaims shop web-e", true),
        ("get core/persistentvolumeclaims shop other", false),
        ("list core/persistentvolumeclaims shop data", false),
        ("patch core/persistentvolumeclaims/status shop data", true),
        ("patch core/persistentvolumeclaims/status shop other", false),
        ("get core/secrets shop csi-key", true),
        ("get core/secrets shop iscsi-key", true),
        ("get core/secrets keys stage", true),
        ("get core/secrets keys control", false),
        ("get core/secrets keys else", false),
        ("get core/persistentvolumes - mine", true),
        ("get core/persistentvolumes - own", true),
        ("get core/persistentvolumes - others", false),
        ("get core/persistentvolumes - none", false),
        ("list core/persistentvolumes", false),
        ("get resource.k8s.io/resourceclaims shop gpu", true),
        ("get resource.k8s.io/resourceclaims shop other", false),
        ("get storage.k8s.io/volumeattachments - va1", true),
        ("get storage.k8s.io/volumeattachments - va2", false),
        ("create resource.k8s.io/resourceslices", true),
        ("update resource.k8s.io/resourceslices - va1", true),
        ("delete resource.k8s.io/resourceslices - va2", false),
        ("list resource.k8s.io/resourceslices", false),
        ("create storage.k8s.io/csinodes", true),
        ("patch storage.k8s.io/csinodes - n1", true),
        ("patch storage.k8s.io/csinodes - n2", false),
        ("get core/secrets shop db", false),
        ("get core/secrets shop stolen", false),
        ("get core/secrets other vol", false),
        ("list core/secrets shop", false),
        ("list core/secrets", false),
        ("get core/secrets shop data", false),
        ("get core/configmaps shop pull", false),
        ("update core/secrets shop vol", false),
        ("delete core/configmaps shop vol", false),
        ("create core/serviceaccounts/token shop web", true),
        ("create core/serviceaccounts/token shop default", false),
        ("get core/serviceaccounts shop web", true),
        ("get core/serviceaccounts shop default", false),
        ("list core/serviceaccounts shop web", false),
        ("get core/pods shop web", true),
        ("get core/pods shop db", false),
        ("delete core/pods shop web", true),
        ("delete core/pods shop db", false),
        ("patch core/pods/status shop web", true),
        ("update core/pods/status shop db", false),
        ("update core/pods shop web", false),
        ("create core/pods/eviction shop web", true),
        ("create core/pods/eviction shop db", false),
        ("create core/pods/exec shop web", false),
        ("list core/pods", false),
        ("list core/pods shop", false),
        ("create core/nodes", true),
        ("get core/nodes - n1", true),
        ("patch core/nodes/status - n1", true),
        ("get core/nodes - n2", false),
        ("update core/nodes - n2", false),
        ("delete core/nodes - n1", false),
        ("list core/nodes", false),
        ("get core/nodes/proxy - n1", false),
        ("create coordination.k8s.io/leases kube-node-lease", true),
        ("update coordination.k8s.io/leases kube-node-lease n1", true),
        ("update coordination.k8s.io/leases kube-node-lease n2", false),
        ("get coordination.k8s.io/leases kube-system n1", false),
        ("create core/events shop", true),
        ("list core/services", true),
        ("watch discovery.k8s.io/endpointslices", true),
        ("list node.k8s.io/runtimeclasses", true),
        ("list apps/deployments", false),
        ("create core/services shop", false),
        ("create authorization.k8s.io/subjectaccessreviews", true),
    ];
    for (text, expected) in table {
        assert_eq!(house.rbac.decide(&node("n1"), &ask(text)).is_ok(), expected, "{text}");
    }
}

#[tokio::test]
async fn a_node_lists_pods_and_nodes_by_its_own_name() {
    let house = house();
    let may = |text: &str, selector: &str| {
        let what = Attributes { field_selector: selector.into(), ..ask(text) };
        house.rbac.decide(&node("n1"), &what).is_ok()
    };
    assert!(may("list core/pods", "spec.nodeName=n1"));
    assert!(may("watch core/pods", "status.phase!=Failed,spec.nodeName=n1"));
    assert!(!may("list core/pods", "spec.nodeName=n2"));
    assert!(!may("list core/pods", "spec.nodeName!=n1"));
    assert!(!may("list core/pods", "junk"));
    assert!(may("watch core/nodes", "metadata.name=n1"));
    assert!(!may("watch core/nodes", "metadata.name=n2"));
}

#[tokio::test]
async fn a_nodes_name_without_its_group_is_nobody() {
    let house = house();
    let plain = Identity::user("system:node:n1", &[]);
    let grouped = Identity::user("jane", &["system:nodes"]);
    let empty = Identity::user("system:node:", &["system:nodes"]);
    for who in [plain, grouped, empty] {
        assert!(house.rbac.decide(&who, &ask("get core/secrets shop vol")).is_err(), "{}", who.name);
    }
    let why = house.rbac.decide(&node("n1"), &ask("get core/secrets shop db")).unwrap_err();
    assert_eq!(why, "no relationship found between node 'n1' and this object");
}

#[tokio::test]
async fn every_pair_of_node_and_secret_equals_a_plain_search() {
    let house = House::new();
    let rng = runtime_base::Rng::seeded(11);
    let mut pods = Vec::new();
    for index in 0..60 {
        let secret = format!("s{}", rng.below(20));
        let node = format!("n{}", rng.below(12));
        let namespace = format!("ns{}", rng.below(3));
        let spec = json!({"volumes": [{"name": "v", "secret": {"secretName": secret}}]});
        house.world.put(&pod(&namespace, &format!("p{index}"), &node, spec));
        pods.push((namespace, node, secret));
    }
    for namespace in ["ns0", "ns1", "ns2"] {
        for node_index in 0..12 {
            for secret in 0..20 {
                let (name, secret) = (format!("n{node_index}"), format!("s{secret}"));
                let expected = pods.contains(&(namespace.into(), name.clone(), secret.clone()));
                let what = ask(&format!("get core/secrets {namespace} {secret}"));
                assert_eq!(house.rbac.decide(&node(&name), &what).is_ok(), expected, "{name} {namespace}/{secret}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_node_writes_is_restricted() {
    let house = house();
    let world = &*house.world;
    let check = |text: &str, object: Option<Value>, old: Option<Value>| {
        restrict_node(&node("n1"), &ask(text), object.as_ref(), old.as_ref(), world, &house.rbac)
            .map_err(|error| error.message)
    };
    let me = |labels: Value, taints: Value| json!({"metadata": {"name": "n1", "labels": labels}, "spec": {"taints": taints}});
    let other = json!({"metadata": {"name": "n2"}});
    let plain = me(json!({}), json!([]));
    assert_eq!(check("create core/nodes", Some(plain.clone()), None), Ok(()));
    let mut owned = plain.clone();
    owned["metadata"]["ownerReferences"] = json!([{"kind": "Node"}]);
    let adopted = check("update core/nodes - n1", Some(owned), Some(plain.clone()));
    assert!(adopted.unwrap_err().contains("not allowed to modify ownerReferences"));
    assert!(
        check("create core/nodes", Some(other.clone()), None)
            .unwrap_err()
            .contains("not allowed to modify node \"n2\"")
    );
    let zoned = me(json!({"topology.kubernetes.io/zone": "a", "x.node-restriction.kubernetes.io/y": "1"}), json!([]));
    assert!(
        check("update core/nodes - n1", Some(zoned.clone()), Some(plain.clone()))
            .unwrap_err()
            .contains("labels: x.node-restriction")
    );
    assert_eq!(check("update core/nodes - n1", Some(zoned.clone()), Some(zoned)), Ok(()));
    let tainted = me(json!({}), json!([{"key": "k", "effect": "NoSchedule"}]));
    assert_eq!(check("create core/nodes", Some(tainted.clone()), None), Ok(()), "a new node brings its taints");
    assert!(check("patch core/nodes - n1", Some(plain), Some(tainted)).unwrap_err().contains("modify taints"));

    let mine = pod("shop", "web", "n1", json!({}));
    let theirs = pod("shop", "db", "n2", json!({}));
    assert!(
        check("create core/pods shop", Some(mine.clone()), None).unwrap_err().contains("can only create mirror pods")
    );
    assert_eq!(check("update core/pods/status shop web", Some(mine.clone()), Some(mine.clone())), Ok(()));
    assert!(check("update core/pods/status shop db", Some(theirs.clone()), Some(theirs.clone())).is_err());
    assert_eq!(check("delete core/pods shop web", None, Some(mine)), Ok(()));
    assert!(check("delete core/pods shop db", None, Some(theirs)).is_err());
    let lease = |name: &str| Some(json!({"metadata": {"name": name}}));
    assert_eq!(check("create coordination.k8s.io/leases kube-node-lease", lease("n1"), None), Ok(()));
    assert!(check("create coordination.k8s.io/leases kube-node-lease", lease("n2"), None).is_err());
    let csi_node = |name: &str| Some(json!({"metadata": {"name": name}}));
    assert_eq!(check("create storage.k8s.io/csinodes", csi_node("n1"), None), Ok(()));
    assert!(
        check("create storage.k8s.io/csinodes", csi_node("n2"), None).unwrap_err().contains("CSINode with the same")
    );
    let slice = |node: &str| Some(json!({"metadata": {"name": "s"}, "spec": {"nodeName": node}}));
    assert_eq!(check("create resource.k8s.io/resourceslices", slice("n1"), None), Ok(()));
    assert!(check("create resource.k8s.io/resourceslices", slice("n2"), None).is_err());
    assert!(check("delete resource.k8s.io/resourceslices - s", None, slice("n2")).is_err());
    let token = |pod: &str, uid: &str| {
        Some(
            json!({"spec": {"audiences": ["vault"], "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}}}),
        )
    };
    let projected = json!({"serviceAccountName": "web",
        "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}]}}]});
    house.world.put(&pod("shop", "web", "n1", projected));
    let ask_token = "create core/serviceaccounts/token shop web";
    assert_eq!(check(ask_token, token("web", "uid-web"), None), Ok(()));
    assert!(check(ask_token, token("web", ""), None).is_err());
    let mut elsewhere = token("web", "uid-web").unwrap();
    elsewhere["spec"]["audiences"] = json!(["elsewhere"]);
    assert!(check(ask_token, Some(elsewhere.clone()), None).unwrap_err().contains("audience \"elsewhere\" not found"));
    let allow = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "vaults"},
        "rules": [{"verbs": ["request-serviceaccounts-token-audience"], "apiGroups": [""], "resources": ["elsewhere"]}]});
    let bound = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "vaults"},
        "roleRef": {"kind": "ClusterRole", "name": "vaults"}, "subjects": [{"kind": "Group", "name": "system:nodes"}]});
    [&allow, &bound].into_iter().for_each(|object| world.put(object));
    assert_eq!(check(ask_token, Some(elsewhere.clone()), None), Ok(()), "a role allows it");
    world.remove(&bound);
    house.world.put(&pod("shop", "web", "n1", json!({"volumes": [{"name": "c", "csi": {"driver": "d"}}]})));
    let driver = json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "d"},
        "spec": {"tokenRequests": [{"audience": "elsewhere"}]}});
    house.world.put(&driver);
    assert_eq!(check(ask_token, Some(elsewhere), None), Ok(()), "its driver asks for it");
    assert!(check(ask_token, token("db", "uid-db"), None).unwrap_err().contains("scheduled on a different node"));
    assert!(check(ask_token, Some(json!({"spec": {}})), None).unwrap_err().contains("not bound to a pod"));
    let jane = Identity::user("jane", &[]);
    assert!(restrict_node(&jane, &ask("create core/nodes"), Some(&other), None, world, &house.rbac).is_ok());
}

#[test]
fn a_mirror_pod_gives_its_node_nothing() {
    let house = house();
    house.world.put(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "u1"}}));
    let check = |expected: &str, change: Value| {
        let mut mirror = json!({
            "metadata": {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u1", "controller": true}]},
            "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        });
        for (pointer, value) in change.as_object().unwrap() {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            mirror.pointer_mut(parent).unwrap()[field] = value.clone();
        }
        let who = node("n1");
        let found = restrict_node(&who, &ask("create core/pods shop"), Some(&mirror), None, &*house.world, &house.rbac);
        let found = found.err().map_or_else(String::new, |error| error.message);
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{change}: {found}");
    };
    check("", json!({}));
    check("single owner reference", json!({"/metadata/ownerReferences": []}));
    check("owner reference set to itself", json!({"/metadata/ownerReferences/0/name": "n2"}));
    check("controller owner reference", json!({"/metadata/ownerReferences/0/controller": false}));
    check("blockOwnerDeletion", json!({"/metadata/ownerReferences/0/blockOwnerDeletion": true}));
    check("UID mismatch", json!({"/metadata/ownerReferences/0/uid": "u2"}));
    check("a service account", json!({"/spec/serviceAccountName": "web"}));
    check("secrets", json!({"/spec/volumes": [{"name": "v", "secret": {"secretName": "s"}}]}));
    check("secrets", json!({"/spec/imagePullSecrets": [{"name": "s"}]}));
    check("secrets", json!({"/spec/containers/0/envFrom": [{"secretRef": {"name": "s"}}]}));
    check(
        "configmaps",
        json!({"/spec/containers/0/env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m"}}}]}),
    );
    check(
        "persistentvolumeclaims",
        json!({"/spec/volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}),
    );
    check("resourceclaims", json!({"/spec/resourceClaims": [{"name": "r", "resourceClaimName": "c"}]}));
    check("", json!({"/spec/volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}));
}

#[test]
fn a_node_asks_for_certificates_of_its_own_name() {
    use base64::Engine;
    let house = house();
    let request = |name: &str, signer: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let pem = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap();
        json!({"spec": {"request": base64::prelude::BASE64_STANDARD.encode(pem), "signerName": format!("kubernetes.io/{signer}")}})
    };
    let may = |request: Value| {
        let what = ask("create certificates.k8s.io/certificatesigningrequests");
        restrict_node(&node("n1"), &what, Some(&request), None, &*house.world, &house.rbac).is_ok()
    };
    assert!(may(request("system:node:n1", "kubelet-serving")));
    assert!(!may(request("system:node:n2", "kubelet-serving")));
    assert!(!may(request("system:node:n2", "kube-apiserver-client-kubelet")));
    assert!(may(request("anybody", "kube-apiserver-client")));
    assert!(!may(json!({"spec": {"request": "bm90aGluZw==", "signerName": "kubernetes.io/kubelet-serving"}})));
}

#[test]
fn a_node_labels_itself_only_with_what_a_kubelet_finds_out() {
    let house = house();
    let what =
        Attributes { verb: "patch".into(), resource: "nodes".into(), name: "n1".into(), ..Attributes::default() };
    for (key, allowed) in [
        ("mine", true),
        ("example.com/mine", true),
        ("kubernetes.io/hostname", true),
        ("topology.kubernetes.io/zone", true),
        ("kubelet.kubernetes.io/x", true),
        ("x.node.kubernetes.io/y", true),
        ("node-role.kubernetes.io/control-plane", false),
        ("kubernetes.io/x", false),
        ("x.k8s.io/y", false),
        ("node-restriction.kubernetes.io/x", false),
    ] {
        let new = json!({"metadata": {"name": "n1", "labels": {key: "v"}}});
        let old = json!({"metadata": {"name": "n1"}});
        let refused = restrict_node(&node("n1"), &what, Some(&new), Some(&old), &*house.world, &house.rbac).is_err();
        assert_eq!(!refused, allowed, "{key}");
    }
}
