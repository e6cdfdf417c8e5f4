use super::*;

#[track_caller]
fn check(rule: fn(&str, &Path, &mut Errors), name: &str, expected: &[&str]) {
    let mut errors = Errors::default();
    rule(name, &Path::new("f"), &mut errors);
    let got: Vec<String> = errors.0.iter().map(|error| error.message.clone()).collect();
    assert_eq!(got.len(), expected.len(), "{name}: {got:?}");
    for (got, expected) in got.iter().zip(expected) {
        assert!(got.contains(expected), "{name}: {got} has no {expected}");
    }
}

#[test]
fn names_with_a_domain_are_judged_in_upstreams_words() {
    check(driver, "ebs.csi.aws.com", &[]);
    check(driver, "EBS.csi", &[]);
    check(driver, "", &["Required value"]);
    check(driver, &"a".repeat(64), &["Too long: may not be more than 63 bytes"]);
    check(fully_qualified, "a.b.c", &[]);
    check(fully_qualified, "a.b", &["should be a domain with at least three segments separated by dots"]);
    check(fully_qualified, "A.b.c", &["a lowercase RFC 1123 subdomain"]);
    check(prefixed_path, "acme.io/foo/bar", &[]);
    check(prefixed_path, "acme.io", &["must be a domain-prefixed path (such as \"acme.io/foo\")"]);
    check(prefixed_path, "acme.io/a b", &["Invalid path"]);
    check(signer, "kubernetes.io/kubelet-serving", &[]);
    check(signer, "kubernetes/x", &["should be a domain with at least two segments separated by dots"]);
    check(signer, "a.b/c/d", &["must be a fully qualified domain and path"]);
}

#[test]
fn hosts_may_start_with_one_wildcard() {
    for good in ["a.b", "*.a.b", "a"] {
        assert_eq!(host(good), Vec::<String>::new(), "{good}");
    }
    for bad in ["*", "*a.b", "a.*.b", "*.*.a"] {
        assert!(host(bad)[0].starts_with("a wildcard DNS-1123 subdomain"), "{bad}");
    }
    assert!(c_identifier("a_1").is_empty() && !c_identifier("1a").is_empty() && !c_identifier("").is_empty());
}
