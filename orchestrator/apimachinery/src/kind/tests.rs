use super::*;

#[test]
fn a_mistyped_kind_finds_its_nearest() {
    let catalog = Catalog::builtin();
    let nearest = |name: &str| catalog.nearest(name).map(|kind| kind.kind.to_string());
    for (typed, meant) in [
        ("Deploymnet", Some("Deployment")),
        ("deployments", Some("Deployment")),
        ("Configmap", Some("ConfigMap")),
        ("Pdo", Some("Pod")),
        ("Sevrice", Some("Service")),
        ("Zebra", None),
        ("", None),
    ] {
        assert_eq!(nearest(typed).as_deref(), meant, "{typed}");
    }
}
