pub(crate) mod loopback;

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: u64 = 24 * 3600;

fn at(day: u64) -> Clock {
    Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs((20_000 + day) * DAY))
}

fn names() -> PkiNames {
    PkiNames::standard("box", &[[10, 96, 0, 1].into()])
}

fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn keys_are_made_once_and_read_by_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("pki");
    let first = Pki::load_or_create(&dir, &names(), at(0)).unwrap();
    let made = snapshot(&dir);
    let listed: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        listed,
        ["apiserver.crt", "apiserver.key", "ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key"]
    );
    for (name, _) in &made {
        assert_eq!(fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    let second = Pki::load_or_create(&dir, &names(), at(300)).unwrap();
    assert_eq!(snapshot(&dir), made);
    assert_eq!(first.ca_pem(), second.ca_pem());
    second.server_config().unwrap();
}

#[tokio::test]
async fn the_serving_certificate_is_renewed_in_time_and_for_new_names() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path(), &names(), at(0)).unwrap();
    let made = snapshot(dir.path());
    let differing = |day, names: &PkiNames| {
        Pki::load_or_create(dir.path(), names, at(day)).unwrap();
        let now = snapshot(dir.path());
        let changed: Vec<String> =
            now.iter().zip(&made).filter(|(a, b)| a != b).map(|((name, _), _)| name.clone()).collect();
        fs::write(dir.path().join("apiserver.crt"), &made[0].1).unwrap();
        changed
    };
    assert_eq!(differing(334, &names()), Vec::<String>::new());
    assert_eq!(differing(336, &names()), ["apiserver.crt"]);
    assert_eq!(differing(800, &names()), ["apiserver.crt"], "an expired one too");
    let other = PkiNames::standard("box", &[[10, 96, 0, 1].into(), [192, 168, 1, 5].into()]);
    assert_eq!(differing(1, &other), ["apiserver.crt"]);
}

#[tokio::test]
async fn bad_files_are_named_and_left_alone() {
    #[track_caller]
    fn check(day: u64, spoil: impl Fn(&Path), expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        Pki::load_or_create(dir.path(), &names(), at(0)).unwrap();
        spoil(dir.path());
        let before = snapshot(dir.path());
        let error = Pki::load_or_create(dir.path(), &names(), at(day)).unwrap_err();
        let text = runtime_base::error::chain(&error).replace(&dir.path().display().to_string(), "DIR");
        assert!(text.starts_with(expected), "{text}");
        assert!(!text.contains('\n') && !text.contains("PRIVATE"), "{text}");
        assert_eq!(snapshot(dir.path()), before);
    }
    let put = |name: &'static str, text: &'static str| move |dir: &Path| fs::write(dir.join(name), text).unwrap();
    let drop = |name: &'static str| move |dir: &Path| fs::remove_file(dir.join(name)).unwrap();
    let foreign = |name: &'static str| {
        move |dir: &Path| {
            let other = tempfile::tempdir().unwrap();
            Pki::load_or_create(other.path(), &names(), at(0)).unwrap();
            fs::copy(other.path().join(name), dir.join(name)).unwrap();
        }
    };
    check(0, put("ca.key", "junk"), "DIR/ca.key is damaged (it holds no P-256 private key");
    check(0, put("ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "DIR/ca.crt is damaged");
    check(0, put("sa.key", ""), "DIR/sa.key is damaged");
    check(0, put("apiserver.crt", "x"), "DIR/apiserver.crt is damaged (it holds no certificate in PEM)");
    check(0, drop("ca.key"), "DIR/ca.key is missing: restore it");
    check(0, drop("ca.crt"), "DIR/ca.crt is missing: restore it");
    check(0, drop("apiserver.key"), "DIR/apiserver.key is missing");
    check(0, foreign("ca.key"), "DIR/ca.crt is damaged (it does not belong to ca.key)");
    check(0, foreign("apiserver.key"), "DIR/apiserver.crt is damaged (it does not belong to apiserver.key)");
    let both = |dir: &Path| {
        let other = tempfile::tempdir().unwrap();
        Pki::load_or_create(other.path(), &names(), at(0)).unwrap();
        for name in ["apiserver.key", "apiserver.crt"] {
            fs::copy(other.path().join(name), dir.join(name)).unwrap();
        }
    };
    check(0, both, "DIR/apiserver.crt is damaged (it was not signed by ca.crt)");
    check(3651, |_| {}, "the certificate authority DIR/ca.crt expired on ");
    let text = |day| {
        let dir = tempfile::tempdir().unwrap();
        Pki::load_or_create(dir.path(), &names(), at(10)).unwrap();
        Pki::load_or_create(dir.path(), &names(), at(day)).unwrap_err().to_string()
    };
    assert!(text(0).ends_with("set this machine's clock"));
}

#[tokio::test]
async fn a_crash_while_keys_are_made_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let key = {
        let other = tempfile::tempdir().unwrap();
        Pki::load_or_create(other.path(), &names(), at(0)).unwrap();
        fs::read(other.path().join("ca.key")).unwrap()
    };
    fs::write(dir.path().join("ca.key"), &key).unwrap();
    Pki::load_or_create(dir.path(), &names(), at(0)).unwrap();
    assert_eq!(fs::read(dir.path().join("ca.key")).unwrap(), key);
    fs::remove_file(dir.path().join("sa.key")).unwrap();
    Pki::load_or_create(dir.path(), &names(), at(0)).unwrap();
}

#[tokio::test]
async fn client_certificates_name_the_user_and_groups() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::load_or_create(dir.path(), &names(), at(0)).unwrap();
    let (pem, _) = pki.issue_client("jane", &["dev", "ops"]).unwrap();
    let der = <CertificateDer<'_> as rustls_pki_types::pem::PemObject>::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, parsed) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(parsed.subject().to_string(), "CN=jane, O=dev, O=ops");
    assert!(matches!(pki.issue_client("jane", &["a", "b", "c"]), Err(PkiError::Organizations(3))));
}

#[tokio::test]
async fn the_kubeconfig_is_yaml_for_the_admin() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::load_or_create(dir.path(), &names(), at(0)).unwrap();
    let text = pki.admin_kubeconfig("https://127.0.0.1:6443").unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("-data:")).collect();
    expect_test::expect![[r#"
        apiVersion: v1
        kind: Config
        clusters:
        - name: coracle
          cluster:
            server: "https://127.0.0.1:6443"
        users:
        - name: "admin"
          user:
        contexts:
        - name: coracle
          context:
            cluster: coracle
            user: "admin"
        current-context: coracle
        preferences: {}"#]]
    .assert_eq(&kept.join("\n"));
    assert_eq!(text.lines().filter(|line| line.contains("-data:")).count(), 3);
}
