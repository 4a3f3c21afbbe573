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
            "PersistentVolumeClaim",
            "PersistentVolumeClaimList",
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
pub(crate) const GOLDEN: [&str; 22] = [
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
    "core.v1.PersistentVolumeClaim",
    "core.v1.Pod",
    "core.v1.Secret",
    "core.v1.Service",
    "core.v1.ServiceAccount",
    "discovery.k8s.io.v1.EndpointSlice",
    "events.k8s.io.v1.Event",
    "policy.v1.Eviction",
];

/// A resource whose paths are kept in the OpenAPI documents.
pub(crate) struct ServedResource {
    pub(crate) document: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) subresources: &'static [&'static str],
}

impl ServedResource {
    /// `apps` of `apis__apps__v1`; empty for the core group.
    pub(crate) fn group(&self) -> &'static str {
        self.document.split("__").nth(1).filter(|_| self.document != "api__v1").unwrap_or_default()
    }
}

const fn served(document: &'static str, plural: &'static str, subresources: &'static [&'static str]) -> ServedResource {
    ServedResource { document, plural, subresources }
}

/// The served resources; a test of `firstlight-api` holds its table of kinds against the documents made of them.
pub(crate) const RESOURCES: &[ServedResource] = &[
    served("api__v1", "configmaps", &[]),
    served("api__v1", "events", &[]),
    served("api__v1", "namespaces", &["finalize", "status"]),
    served("api__v1", "nodes", &["status"]),
    served("api__v1", "persistentvolumeclaims", &["status"]),
    served(
        "api__v1",
        "pods",
        &["attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "status"],
    ),
    served("api__v1", "secrets", &[]),
    served("api__v1", "serviceaccounts", &[]),
    served("api__v1", "services", &["status"]),
    served("apis__apps__v1", "controllerrevisions", &[]),
    served("apis__apps__v1", "statefulsets", &["scale", "status"]),
    served("apis__authentication.k8s.io__v1", "selfsubjectreviews", &[]),
    served("apis__authorization.k8s.io__v1", "selfsubjectaccessreviews", &[]),
    served("apis__authorization.k8s.io__v1", "selfsubjectrulesreviews", &[]),
    served("apis__coordination.k8s.io__v1", "leases", &[]),
    served("apis__discovery.k8s.io__v1", "endpointslices", &[]),
    served("apis__events.k8s.io__v1", "events", &[]),
];

/// Media types that are read or answered.
pub(crate) const MEDIA_TYPES: &[&str] = &[
    "*/*",
    "application/json",
    "application/json-patch+json",
    "application/json;stream=watch",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "text/plain",
];

/// Parameters that are honoured.
pub(crate) const PARAMETERS: &[&str] = &[
    "allowWatchBookmarks",
    "command",
    "container",
    "continue",
    "dryRun",
    "fieldManager",
    "fieldSelector",
    "fieldValidation",
    "follow",
    "gracePeriodSeconds",
    "labelSelector",
    "limit",
    "limitBytes",
    "name",
    "namespace",
    "ports",
    "previous",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "sinceSeconds",
    "stderr",
    "stdin",
    "stdout",
    "tailLines",
    "timeoutSeconds",
    "timestamps",
    "tty",
    "watch",
];
