//! The types that the table starts from: every resource of the stable group versions.

use crate::protobuf::Probe;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

/// A kind and the name of its schema.
pub struct Kind {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub schema: String,
}

pub struct Collected {
    /// Schemas by name, references unresolved.
    pub definitions: Map<String, Value>,
    pub kinds: Vec<Kind>,
}

macro_rules! resources {
    ($($($part:ident)::+,)+) => {
        /// The schemas of all resources and of what they refer to.
        pub fn collect() -> Collected {
            let mut settings = SchemaSettings::openapi3();
            settings.inline_subschemas = false;
            settings.meta_schema = None;
            let mut generator = SchemaGenerator::new(settings);
            let mut kinds = Vec::new();
            $(add::<k8s_openapi::$($part)::+>(&mut generator, &mut kinds);)+
            add::<k8s_openapi::apimachinery::pkg::apis::meta::v1::Status>(&mut generator, &mut kinds);
            add::<k8s_openapi::api::admissionregistration::v1::MutatingAdmissionPolicy>(&mut generator, &mut kinds);
            add::<k8s_openapi::api::admissionregistration::v1::MutatingAdmissionPolicyBinding>(
                &mut generator,
                &mut kinds,
            );
            generator.subschema_for::<k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions>();
            generator.subschema_for::<k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta>();
            Collected { definitions: generator.take_definitions(true), kinds }
        }

        /// A protobuf decoder to probe for each root type, by schema name.
        pub fn probes() -> Vec<(String, Probe)> {
            use k8s_openapi::api::admissionregistration::v1 as stable;
            use k8s_openapi::apimachinery::pkg::apis::meta::v1 as schema;
            use k8s_pb::api::admissionregistration::v1beta1 as beta;
            use k8s_pb::apimachinery::pkg::apis::meta::v1 as message;
            vec![
                $((name::<k8s_openapi::$($part)::+>(), crate::protobuf::attempt::<k8s_pb::$($part)::+>),)+
                (name::<schema::Status>(), crate::protobuf::attempt::<message::Status>),
                (name::<schema::DeleteOptions>(), crate::protobuf::attempt::<message::DeleteOptions>),
                // k8s-pb lacks v1; the beta that became v1 has the same messages.
                (name::<stable::MutatingAdmissionPolicy>(), crate::protobuf::attempt::<beta::MutatingAdmissionPolicy>),
                (
                    name::<stable::MutatingAdmissionPolicyBinding>(),
                    crate::protobuf::attempt::<beta::MutatingAdmissionPolicyBinding>,
                ),
            ]
        }
    };
}

fn name<T: schemars::JsonSchema>() -> String {
    T::schema_name().into_owned()
}

fn add<T: schemars::JsonSchema + k8s_openapi::Resource>(generator: &mut SchemaGenerator, kinds: &mut Vec<Kind>) {
    generator.subschema_for::<T>();
    kinds.push(Kind { api_version: T::API_VERSION, kind: T::KIND, schema: name::<T>() });
}

resources! {
    api::admissionregistration::v1::MutatingWebhookConfiguration,
    api::admissionregistration::v1::ValidatingAdmissionPolicy,
    api::admissionregistration::v1::ValidatingAdmissionPolicyBinding,
    api::admissionregistration::v1::ValidatingWebhookConfiguration,
    api::apps::v1::ControllerRevision,
    api::apps::v1::DaemonSet,
    api::apps::v1::Deployment,
    api::apps::v1::ReplicaSet,
    api::apps::v1::StatefulSet,
    api::authentication::v1::SelfSubjectReview,
    api::authentication::v1::TokenRequest,
    api::authentication::v1::TokenReview,
    api::authorization::v1::LocalSubjectAccessReview,
    api::authorization::v1::SelfSubjectAccessReview,
    api::authorization::v1::SelfSubjectRulesReview,
    api::authorization::v1::SubjectAccessReview,
    api::autoscaling::v1::HorizontalPodAutoscaler,
    api::autoscaling::v1::Scale,
    api::autoscaling::v2::HorizontalPodAutoscaler,
    api::batch::v1::CronJob,
    api::batch::v1::Job,
    api::certificates::v1::CertificateSigningRequest,
    api::coordination::v1::Lease,
    api::core::v1::Binding,
    api::core::v1::ComponentStatus,
    api::core::v1::ConfigMap,
    api::core::v1::Endpoints,
    api::core::v1::Event,
    api::core::v1::LimitRange,
    api::core::v1::Namespace,
    api::core::v1::Node,
    api::core::v1::PersistentVolume,
    api::core::v1::PersistentVolumeClaim,
    api::core::v1::Pod,
    api::core::v1::PodTemplate,
    api::core::v1::ReplicationController,
    api::core::v1::ResourceQuota,
    api::core::v1::Secret,
    api::core::v1::Service,
    api::core::v1::ServiceAccount,
    api::discovery::v1::EndpointSlice,
    api::events::v1::Event,
    api::flowcontrol::v1::FlowSchema,
    api::flowcontrol::v1::PriorityLevelConfiguration,
    api::networking::v1::IPAddress,
    api::networking::v1::Ingress,
    api::networking::v1::IngressClass,
    api::networking::v1::NetworkPolicy,
    api::networking::v1::ServiceCIDR,
    api::node::v1::RuntimeClass,
    api::policy::v1::Eviction,
    api::policy::v1::PodDisruptionBudget,
    api::rbac::v1::ClusterRole,
    api::rbac::v1::ClusterRoleBinding,
    api::rbac::v1::Role,
    api::rbac::v1::RoleBinding,
    api::resource::v1::DeviceClass,
    api::resource::v1::ResourceClaim,
    api::resource::v1::ResourceClaimTemplate,
    api::resource::v1::ResourceSlice,
    api::scheduling::v1::PriorityClass,
    api::storage::v1::CSIDriver,
    api::storage::v1::CSINode,
    api::storage::v1::CSIStorageCapacity,
    api::storage::v1::StorageClass,
    api::storage::v1::VolumeAttachment,
    api::storage::v1::VolumeAttributesClass,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
}
