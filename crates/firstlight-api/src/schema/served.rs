//! The served kinds: what `kubectl api-resources` shows and which verbs and subresources each has.
//!
//! Short names and categories are those of Kubernetes' registries (`pkg/registry/*/*/storage`).

use super::{Type, tables};
use crate::object::{Resource, resources};

/// A served kind.
#[derive(Debug)]
pub struct Kind {
    /// Where its objects are kept.
    pub resource: Resource,
    /// The group it is served under: the resource's own, but for the second view of events.
    pub group: &'static str,
    /// Its one version.
    pub version: &'static str,
    /// `Pod`
    pub kind: &'static str,
    /// `PodList`
    pub list_kind: &'static str,
    /// `pod`
    pub singular: &'static str,
    /// `po`
    pub short_names: &'static [&'static str],
    /// `all`
    pub categories: &'static [&'static str],
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: &'static [Verb],
    /// What hangs below an object of it.
    pub subresources: &'static [Subresource],
    /// The table of its fields.
    pub ty: &'static Type,
}

/// What hangs below an object: `pods/log`.
#[derive(Debug)]
pub struct Subresource {
    /// `log`
    pub name: &'static str,
    /// Group of the kind it speaks.
    pub group: &'static str,
    /// Version of the kind it speaks.
    pub version: &'static str,
    /// The kind of what is sent or answered: `Scale` below a StatefulSet.
    pub kind: &'static str,
    /// What can be done with it.
    pub verbs: &'static [Verb],
}

/// What a request does, in Kubernetes' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// POST
    Create,
    /// DELETE
    Delete,
    /// DELETE of a list
    DeleteCollection,
    /// GET
    Get,
    /// GET of a list
    List,
    /// PATCH
    Patch,
    /// PUT
    Update,
    /// GET of a list that goes on
    Watch,
}

impl Verb {
    /// The word used in discovery and access reviews.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Patch => "patch",
            Verb::Update => "update",
            Verb::Watch => "watch",
        }
    }
}

impl Kind {
    /// The kind a resource is served as, in its own group.
    #[must_use]
    pub fn of(resource: Resource) -> Option<&'static Kind> {
        KINDS.iter().find(|k| k.resource == resource)
    }

    /// `v1`, `apps/v1`
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether objects of it are kept: reviews are answered and forgotten.
    #[must_use]
    pub fn stored(&self) -> bool {
        self.verbs.contains(&Verb::Get)
    }

    /// The subresource of that name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }
}

/// Everything served, the second view of events and the reviews included.
#[must_use]
pub fn kinds() -> &'static [Kind] {
    KINDS
}

/// The kind served under `/api/v1/PLURAL` (empty group) or `/apis/GROUP/VERSION/PLURAL`.
#[must_use]
pub fn by_path(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.group == group && k.version == version && k.resource.plural == plural)
}

/// The kind of that name.
#[must_use]
pub fn by_gvk(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.group == group && k.version == version && k.kind == kind)
}

use Verb::{Create, Delete, DeleteCollection, Get, List, Patch, Update, Watch};

const ALL: &[Verb] = &[Create, Delete, DeleteCollection, Get, List, Patch, Update, Watch];
const REVIEW: &[Verb] = &[Create];

/// Most kinds: core/v1, all verbs, namespaced, nothing below.
const PLAIN: Kind = Kind {
    resource: resources::PODS,
    group: "",
    version: "v1",
    kind: "",
    list_kind: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL,
    subresources: &[],
    ty: &tables::CORE_POD,
};

const fn below(name: &'static str, kind: &'static str, verbs: &'static [Verb]) -> Subresource {
    Subresource { name, group: "", version: "v1", kind, verbs }
}

const fn status(group: &'static str, kind: &'static str) -> Subresource {
    Subresource { name: "status", group, version: "v1", kind, verbs: &[Get, Patch, Update] }
}

const fn review(group: &'static str, plural: &'static str, singular: &'static str, ty: &'static Type) -> Kind {
    let resource = Resource { group, plural };
    Kind { resource, group, singular, ty, namespaced: false, verbs: REVIEW, ..PLAIN }
}

static KINDS: &[Kind] = &[
    Kind {
        resource: resources::CONFIGMAPS,
        kind: "ConfigMap",
        list_kind: "ConfigMapList",
        singular: "configmap",
        short_names: &["cm"],
        ty: &tables::CORE_CONFIGMAP,
        ..PLAIN
    },
    Kind {
        resource: resources::EVENTS,
        kind: "Event",
        list_kind: "EventList",
        singular: "event",
        short_names: &["ev"],
        ty: &tables::CORE_EVENT,
        ..PLAIN
    },
    Kind {
        resource: resources::NAMESPACES,
        kind: "Namespace",
        list_kind: "NamespaceList",
        singular: "namespace",
        short_names: &["ns"],
        namespaced: false,
        // Kubernetes has no deletecollection of namespaces either.
        verbs: &[Create, Delete, Get, List, Patch, Update, Watch],
        subresources: &[below("finalize", "Namespace", &[Update]), status("", "Namespace")],
        ty: &tables::CORE_NAMESPACE,
        ..PLAIN
    },
    Kind {
        resource: resources::NODES,
        kind: "Node",
        list_kind: "NodeList",
        singular: "node",
        short_names: &["no"],
        namespaced: false,
        subresources: &[status("", "Node")],
        ty: &tables::CORE_NODE,
        ..PLAIN
    },
    Kind {
        resource: resources::PERSISTENTVOLUMECLAIMS,
        kind: "PersistentVolumeClaim",
        list_kind: "PersistentVolumeClaimList",
        singular: "persistentvolumeclaim",
        short_names: &["pvc"],
        subresources: &[status("", "PersistentVolumeClaim")],
        ty: &tables::CORE_PERSISTENTVOLUMECLAIM,
        ..PLAIN
    },
    Kind {
        resource: resources::PODS,
        kind: "Pod",
        list_kind: "PodList",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        subresources: &[
            below("attach", "PodAttachOptions", &[Create, Get]),
            below("binding", "Binding", &[Create]),
            below("ephemeralcontainers", "Pod", &[Get, Patch, Update]),
            Subresource { name: "eviction", group: "policy", version: "v1", kind: "Eviction", verbs: &[Create] },
            below("exec", "PodExecOptions", &[Create, Get]),
            below("log", "Pod", &[Get]),
            below("portforward", "PodPortForwardOptions", &[Create, Get]),
            status("", "Pod"),
        ],
        ty: &tables::CORE_POD,
        ..PLAIN
    },
    Kind {
        resource: resources::SECRETS,
        kind: "Secret",
        list_kind: "SecretList",
        singular: "secret",
        ty: &tables::CORE_SECRET,
        ..PLAIN
    },
    Kind {
        resource: resources::SERVICEACCOUNTS,
        kind: "ServiceAccount",
        list_kind: "ServiceAccountList",
        singular: "serviceaccount",
        short_names: &["sa"],
        ty: &tables::CORE_SERVICEACCOUNT,
        ..PLAIN
    },
    Kind {
        resource: resources::SERVICES,
        kind: "Service",
        list_kind: "ServiceList",
        singular: "service",
        short_names: &["svc"],
        categories: &["all"],
        subresources: &[status("", "Service")],
        ty: &tables::CORE_SERVICE,
        ..PLAIN
    },
    Kind {
        resource: resources::CONTROLLERREVISIONS,
        group: "apps",
        kind: "ControllerRevision",
        list_kind: "ControllerRevisionList",
        singular: "controllerrevision",
        ty: &tables::APPS_CONTROLLERREVISION,
        ..PLAIN
    },
    Kind {
        resource: resources::STATEFULSETS,
        group: "apps",
        kind: "StatefulSet",
        list_kind: "StatefulSetList",
        singular: "statefulset",
        short_names: &["sts"],
        categories: &["all"],
        subresources: &[
            Subresource {
                name: "scale",
                group: "autoscaling",
                version: "v1",
                kind: "Scale",
                verbs: &[Get, Patch, Update],
            },
            status("apps", "StatefulSet"),
        ],
        ty: &tables::APPS_STATEFULSET,
        ..PLAIN
    },
    Kind {
        kind: "SelfSubjectReview",
        ..review(
            "authentication.k8s.io",
            "selfsubjectreviews",
            "selfsubjectreview",
            &tables::AUTHENTICATION_SELFSUBJECTREVIEW,
        )
    },
    Kind {
        kind: "SelfSubjectAccessReview",
        ..review(
            "authorization.k8s.io",
            "selfsubjectaccessreviews",
            "selfsubjectaccessreview",
            &tables::AUTHORIZATION_SELFSUBJECTACCESSREVIEW,
        )
    },
    Kind {
        kind: "SelfSubjectRulesReview",
        ..review(
            "authorization.k8s.io",
            "selfsubjectrulesreviews",
            "selfsubjectrulesreview",
            &tables::AUTHORIZATION_SELFSUBJECTRULESREVIEW,
        )
    },
    Kind {
        resource: resources::LEASES,
        group: "coordination.k8s.io",
        kind: "Lease",
        list_kind: "LeaseList",
        singular: "lease",
        ty: &tables::COORDINATION_LEASE,
        ..PLAIN
    },
    Kind {
        resource: resources::ENDPOINTSLICES,
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        list_kind: "EndpointSliceList",
        singular: "endpointslice",
        ty: &tables::DISCOVERY_ENDPOINTSLICE,
        ..PLAIN
    },
    Kind {
        resource: resources::EVENTS,
        group: "events.k8s.io",
        kind: "Event",
        list_kind: "EventList",
        singular: "event",
        short_names: &["ev"],
        ty: &tables::EVENTS_EVENT,
        ..PLAIN
    },
];
