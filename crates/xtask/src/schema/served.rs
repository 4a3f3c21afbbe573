//! What Firstlight takes from Kubernetes' descriptions: the documents read and the types the tables start from.

/// The OpenAPI documents read, by file name.
pub(crate) const DOCUMENTS: [&str; 10] = [
    "api__v1",
    "apis__apps__v1",
    "apis__authentication.k8s.io__v1",
    "apis__authorization.k8s.io__v1",
    "apis__autoscaling__v1",
    "apis__batch__v1",
    "apis__coordination.k8s.io__v1",
    "apis__discovery.k8s.io__v1",
    "apis__events.k8s.io__v1",
    "apis__policy__v1",
];

/// A package of Go types: its name in `fields.json`, its OpenAPI prefix, its API group.
pub(crate) struct Package {
    pub(crate) go: &'static str,
    pub(crate) openapi: &'static str,
    pub(crate) group: &'static str,
    /// The types the tables start from; what they refer to is taken along.
    pub(crate) roots: &'static [&'static str],
}

/// `kubectl` reads manifests of Deployments and Jobs too, so the tables know their fields although they are not served.
pub(crate) const PACKAGES: &[Package] = &[
    Package {
        go: "v1",
        openapi: "io.k8s.api.core.v1",
        group: "",
        roots: &[
            "Binding",
            "ConfigMap",
            "ConfigMapList",
            "Event",
            "EventList",
            "Namespace",
            "NamespaceList",
            "Node",
            "NodeList",
            "Pod",
            "PodList",
            "PodTemplate",
            "Secret",
            "SecretList",
            "Service",
            "ServiceAccount",
            "ServiceAccountList",
            "ServiceList",
        ],
    },
    Package {
        go: "apps.v1",
        openapi: "io.k8s.api.apps.v1",
        group: "apps",
        roots: &[
            "ControllerRevision",
            "ControllerRevisionList",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "StatefulSetList",
        ],
    },
    Package {
        go: "authentication.k8s.io.v1",
        openapi: "io.k8s.api.authentication.v1",
        group: "authentication.k8s.io",
        roots: &["SelfSubjectReview", "TokenRequest"],
    },
    Package {
        go: "authorization.k8s.io.v1",
        openapi: "io.k8s.api.authorization.v1",
        group: "authorization.k8s.io",
        roots: &["SelfSubjectAccessReview", "SelfSubjectRulesReview"],
    },
    Package { go: "autoscaling.v1", openapi: "io.k8s.api.autoscaling.v1", group: "autoscaling", roots: &["Scale"] },
    Package { go: "batch.v1", openapi: "io.k8s.api.batch.v1", group: "batch", roots: &["CronJob", "Job"] },
    Package {
        go: "coordination.k8s.io.v1",
        openapi: "io.k8s.api.coordination.v1",
        group: "coordination.k8s.io",
        roots: &["Lease", "LeaseList"],
    },
    Package {
        go: "discovery.k8s.io.v1",
        openapi: "io.k8s.api.discovery.v1",
        group: "discovery.k8s.io",
        roots: &["EndpointSlice", "EndpointSliceList"],
    },
    Package {
        go: "events.k8s.io.v1",
        openapi: "io.k8s.api.events.v1",
        group: "events.k8s.io",
        roots: &["Event", "EventList"],
    },
    Package { go: "policy.v1", openapi: "io.k8s.api.policy.v1", group: "policy", roots: &["Eviction"] },
    Package {
        go: "meta.v1",
        openapi: "io.k8s.apimachinery.pkg.apis.meta.v1",
        group: "meta.k8s.io",
        roots: &["DeleteOptions", "LabelSelector", "List", "ListMeta", "ObjectMeta", "Status"],
    },
];

/// The serialisation samples kept as oracles: one JSON and one protobuf file each.
pub(crate) const GOLDEN: [&str; 21] = [
    "apps.v1.ControllerRevision",
    "apps.v1.StatefulSet",
    "authentication.k8s.io.v1.SelfSubjectReview",
    "authentication.k8s.io.v1.TokenRequest",
    "authorization.k8s.io.v1.SelfSubjectAccessReview",
    "authorization.k8s.io.v1.SelfSubjectRulesReview",
    "autoscaling.v1.Scale",
    "coordination.k8s.io.v1.Lease",
    "core.v1.Binding",
    "core.v1.ConfigMap",
    "core.v1.DeleteOptions",
    "core.v1.Event",
    "core.v1.Namespace",
    "core.v1.Node",
    "core.v1.Pod",
    "core.v1.Secret",
    "core.v1.Service",
    "core.v1.ServiceAccount",
    "discovery.k8s.io.v1.EndpointSlice",
    "events.k8s.io.v1.Event",
    "policy.v1.Eviction",
];
