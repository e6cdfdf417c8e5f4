use super::*;
use expect_test::{Expect, expect};

#[track_caller]
fn check(json: &str, expected: Expect) {
    let seen = match Credential::from_docker_config(json.as_bytes()) {
        Ok(credentials) => {
            credentials.iter().map(|c| format!("{} {} {}\n", c.registry, c.username, c.password)).collect::<String>()
        }
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&seen);
}

#[test]
fn both_docker_formats_are_read() {
    check(
        r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6c2VjOnJldA=="},"ghcr.io":{"username":"u","password":"p"}}}"#,
        expect![[r#"
            ghcr.io u p
            docker.io me sec:ret
        "#]],
    );
    check(
        r#"{"127.0.0.1:5000":{"username":"u","password":"p","email":"x@y","auth":"dTpw"}}"#,
        expect![[r#"
            127.0.0.1:5000 u p
        "#]],
    );
    check(r#"{"auths":{}}"#, expect![""]);
    check(r#"{"auths":{"a.b":{}},"credsStore":"desktop"}"#, expect![""]);
}

#[test]
fn what_is_no_configuration_is_refused_without_its_content() {
    check(r#"{"auths":"secret"}"#, expect!["error: not a Docker configuration: line 1, column 17"]);
    check("secret", expect!["error: not a Docker configuration: line 1, column 1"]);
    check(
        r#"{"auths":{"a.b":{"auth":"c2VjcmV0"}}}"#,
        expect![[r#"error: auth of registry "a.b" is not base64 of user:password"#]],
    );
}

#[test]
fn a_password_is_never_printed() {
    let credential = Credential { registry: "a.b".into(), username: "me".into(), password: "secret".into() };
    assert!(!format!("{credential:?}").contains("secret"));
}

#[test]
fn credentials_are_for_the_registry_and_path_they_name() {
    let credential =
        |registry: &str| Credential { registry: registry.into(), username: registry.into(), password: String::new() };
    let all: Vec<Credential> =
        ["ghcr.io", "ghcr.io/org", "*.example.com", "docker.io", "localhost:5000", "r*y.io"].map(credential).to_vec();
    let check = |image: &str, expected: &[&str]| {
        let reference = ImageReference::parse(image).unwrap();
        let seen: Vec<&str> = fitting(&all, &reference).iter().map(|c| c.registry.as_str()).collect();
        assert_eq!(seen, expected, "{image}");
    };
    check("ghcr.io/org/app", &["ghcr.io/org", "ghcr.io"]);
    check("ghcr.io/organization/app", &["ghcr.io"]);
    check("a.example.com/x", &["*.example.com"]);
    check("a.b.example.com/x", &[]);
    check("nginx", &["docker.io"]);
    check("localhost:5000/x", &["localhost:5000"]);
    check("localhost:5001/x", &[]);
    check("registry.io/x", &["r*y.io"]);
    check("evil-ghcr.io/x", &[]);
    check("file:///ghcr.io/x", &[]);
}
