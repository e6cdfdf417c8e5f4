use super::*;
use expect_test::{Expect, expect};

#[track_caller]
fn check(image: &str, expected: Expect) {
    let seen = match ImageReference::parse(image) {
        Ok(reference) => reference.to_string(),
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&seen);
}

#[test]
fn names_get_a_registry_and_a_tag() {
    check("nginx", expect!["docker.io/library/nginx:latest"]);
    check("me/app:1.2", expect!["docker.io/me/app:1.2"]);
    check("localhost/app", expect!["localhost/app:latest"]);
    check("127.0.0.1:5000/app", expect!["127.0.0.1:5000/app:latest"]);
    check("[::1]:5000/a/b:t", expect!["[::1]:5000/a/b:t"]);
    check("[::1]/a", expect!["[::1]/a:latest"]);
    check("ghcr.io/org/app:V1_x", expect!["ghcr.io/org/app:V1_x"]);
    let digest = "0".repeat(64);
    check(
        &format!("ghcr.io/org/app@sha256:{digest}"),
        expect!["ghcr.io/org/app@sha256:0000000000000000000000000000000000000000000000000000000000000000"],
    );
    check("file:///tmp/x/app.wasm", expect!["file:///tmp/x/app.wasm"]);
}

#[test]
fn what_is_no_name_is_refused_in_upstream_words() {
    check(
        "UPPER",
        expect![[
            r#"error: Failed to apply default image tag "UPPER": couldn't parse image name "UPPER": invalid reference format: repository name (library/UPPER) must be lowercase"#
        ]],
    );
    check(
        "ghcr.io/Org/app:1",
        expect![[
            r#"error: Failed to apply default image tag "ghcr.io/Org/app:1": couldn't parse image name "ghcr.io/Org/app:1": invalid reference format: repository name (Org/app) must be lowercase"#
        ]],
    );
    for image in [
        "a b",
        "app:",
        "app@sha256:12",
        "-x",
        "app:tag:tag",
        "[::1]",
        "[::1]:5000",
        "[::1]x/a",
        "[x]/a",
        "http://ghcr.io/app",
        "./x.wasm",
    ] {
        let error = ImageReference::parse(image).expect_err(image);
        assert!(error.problem.contains("invalid reference format"), "{image}: {error}");
    }
    assert!(ImageReference::parse("").is_err());
    assert!(ImageReference::parse(&"a".repeat(64)).is_err());
    assert!(ImageReference::parse(&format!("x/{}", "a".repeat(300))).is_err());
    for image in ["file://app.wasm", "file:///", "file:///a/../b.wasm", "file://"] {
        assert!(ImageReference::parse(image).is_err(), "{image}");
    }
}

#[test]
fn registries_of_this_machine_are_known_by_name() {
    for registry in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "[::1]"] {
        assert!(ImageReference::is_loopback(registry), "{registry}");
    }
    for registry in ["ghcr.io", "10.0.0.1:5000", "localhost.example.com", "127.0.0.1.example.com:5000"] {
        assert!(!ImageReference::is_loopback(registry), "{registry}");
    }
}

#[test]
fn canonical_names_parse_to_themselves() {
    for seed in ["nginx", "a/b:c", "file:///x.wasm", "x.y:1/z@sha256:", "\u{ff}", "[::1]/a"] {
        fuzz(seed.as_bytes());
    }
}
