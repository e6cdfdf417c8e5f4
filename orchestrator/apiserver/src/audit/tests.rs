use super::*;
use crate::auth::Attributes;
use crate::identity::Identity;

fn policy(rules: &str) -> Policy {
    Policy::parse(format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}").as_bytes()).unwrap()
}

fn of(resource: &str, subresource: &str) -> Attributes {
    let text = str::to_owned;
    let (verb, namespace, name) = (text("get"), text("shop"), text("one"));
    Attributes {
        verb,
        namespace,
        name,
        resource: text(resource),
        subresource: text(subresource),
        ..Attributes::default()
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = policy(
        "- level: None\n  users: [\"system:kube-proxy\"]\n  verbs: [watch]\n\
         - level: None\n  userGroups: [\"system:authenticated\"]\n  nonResourceURLs: [\"/api*\", \"/version\"]\n\
         - level: Request\n  resources:\n  - group: \"\"\n    resources: [configmaps]\n    resourceNames: [one]\n  namespaces: [shop]\n\
         - level: RequestResponse\n  resources:\n  - group: \"\"\n    resources: [\"pods/*\", \"*/scale\"]\n\
         - level: Metadata\n  omitStages: [RequestReceived]\n",
    );
    #[track_caller]
    fn check(policy: &Policy, what: &Attributes, level: Level) {
        assert_eq!(policy.decide(&Identity::user("eve", &[]), what).level, level);
    }
    check(&policy, &of("configmaps", ""), Level::Request);
    check(&policy, &Attributes { name: "two".into(), ..of("configmaps", "") }, Level::Metadata);
    check(&policy, &Attributes { namespace: "other".into(), ..of("configmaps", "") }, Level::Metadata);
    check(&policy, &of("pods", "exec"), Level::RequestResponse);
    check(&policy, &of("things", "scale"), Level::RequestResponse);
    // As upstream, whose text says otherwise.
    check(&policy, &of("pods", ""), Level::RequestResponse);
    check(&policy, &of("services", ""), Level::Metadata);
    let path = |path: &str| Attributes { verb: "get".into(), path: path.into(), ..Attributes::default() };
    check(&policy, &path("/apis/apps"), Level::None);
    check(&policy, &path("/versions"), Level::Metadata);
}

#[test]
fn policies_that_make_no_sense_are_refused() {
    #[track_caller]
    fn check(text: &str, why: &str) {
        let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    check("kind: Policy\napiVersion: audit.k8s.io/v1\n", "no rules");
    check("kind: Pod\napiVersion: v1\nrules: [{level: None}]", "not audit.k8s.io/v1 Policy");
    check("kind: Policy\napiVersion: audit.k8s.io/v1\nrules: [{level: Loud}]", "Loud");
    check("kind: Policy\napiVersion: audit.k8s.io/v1\nrules: [{level: None, user: [a]}]", "user");
    let both = "rules: [{level: None, nonResourceURLs: [/a], namespaces: [b]}]";
    check(&format!("kind: Policy\napiVersion: audit.k8s.io/v1\n{both}"), "both regular resources and non-resource");
}
