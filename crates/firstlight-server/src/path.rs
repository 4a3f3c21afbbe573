//! What a path means: one grammar for every resource.
//!
//! ```text
//!  /api/v1/REST        /apis/GROUP/VERSION/REST
//!  REST = [namespaces/NAMESPACE/] PLURAL [/NAME [/SUBRESOURCE]]
//! ```
//!
//! `namespaces/NAME` is the Namespace itself, `namespaces/NAME/status` a subresource of it, `namespaces/NAME/pods`
//! the pods in it: a word that is a subresource of Namespace is no plural.

use firstlight_api::object::{Key, resources};
use firstlight_api::schema::{Kind, Subresource, by_path};
use percent_encoding::percent_decode_str;

/// What a request is about: a kind, maybe in one namespace, maybe one object, maybe something below it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) kind: &'static Kind,
    /// Empty for all namespaces and for what lives in none.
    pub(crate) namespace: String,
    /// `None` for the collection.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<&'static Subresource>,
}

impl Target {
    /// The target of a path, if it is one.
    pub(crate) fn of(path: &str) -> Option<Target> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let words = path.strip_prefix('/')?.split('/').map(decoded).collect::<Option<Vec<String>>>()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["api", "v1", rest @ ..] => Target::rest("", "v1", rest),
            ["apis", group, version, rest @ ..] if !group.is_empty() => Target::rest(group, version, rest),
            _ => None,
        }
    }

    fn rest(group: &str, version: &str, rest: &[&str]) -> Option<Target> {
        let (namespace, plural, below) = match rest {
            ["namespaces", name, below, ..] if group.is_empty() && namespace_has(below) => {
                ("", "namespaces", &[*name, *below][..])
            }
            ["namespaces", namespace, plural, below @ ..] if !namespace.is_empty() => (*namespace, *plural, below),
            [plural, below @ ..] => ("", *plural, below),
            [] => return None,
        };
        let kind = by_path(group, version, plural)?;
        let (name, subresource) = match below {
            [] => (None, None),
            [name] => (Some((*name).to_owned()), None),
            [name, subresource] => (Some((*name).to_owned()), Some(kind.subresource(subresource)?)),
            _ => return None,
        };
        // Objects in namespaces are not found without theirs, nor the others within one.
        let fits = if kind.namespaced { !namespace.is_empty() || name.is_none() } else { namespace.is_empty() };
        let named = name.as_ref().is_none_or(|name| !name.is_empty());
        (fits && named).then(|| Target { kind, namespace: namespace.to_owned(), name, subresource })
    }

    /// Where the object is kept; the name is empty for a collection.
    pub(crate) fn key(&self) -> Key {
        self.named(self.name())
    }

    /// Where the object of that name is kept.
    pub(crate) fn named(&self, name: &str) -> Key {
        Key::new(self.kind.resource, self.namespace.clone(), name)
    }

    /// The object's name, or empty.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("")
    }

    /// The namespace, if it is about one.
    pub(crate) fn within(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }
}

fn namespace_has(subresource: &str) -> bool {
    Kind::of(resources::NAMESPACES).is_some_and(|kind| kind.subresource(subresource).is_some())
}

/// A word of a path. A decoded `/` or a control character names nothing that could exist.
fn decoded(word: &str) -> Option<String> {
    let word = percent_decode_str(word).decode_utf8().ok()?;
    (!word.contains(|c: char| c == '/' || c.is_control())).then(|| word.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<String> {
        let target = Target::of(path)?;
        let Target { kind, ref namespace, ref name, subresource } = target;
        let below = subresource.map_or("", |subresource| subresource.name);
        Some(format!("{}.{} {namespace} {} {below}", kind.kind, kind.group, name.as_deref().unwrap_or("*")))
    }

    #[test]
    fn every_path_means_one_thing_or_nothing() {
        for (path, means) in [
            ("/api/v1/pods", Some("Pod.  * ")),
            ("/api/v1/namespaces/a/pods", Some("Pod. a * ")),
            ("/api/v1/namespaces/a/pods/", Some("Pod. a * ")),
            ("/api/v1/namespaces/a/pods/p", Some("Pod. a p ")),
            ("/api/v1/namespaces/a/pods/p/log", Some("Pod. a p log")),
            ("/api/v1/namespaces", Some("Namespace.  * ")),
            ("/api/v1/namespaces/a", Some("Namespace.  a ")),
            ("/api/v1/namespaces/a/status", Some("Namespace.  a status")),
            ("/api/v1/namespaces/a/finalize", Some("Namespace.  a finalize")),
            ("/api/v1/nodes/n%2D1", Some("Node.  n-1 ")),
            ("/apis/apps/v1/namespaces/a/statefulsets/s/scale", Some("StatefulSet.apps a s scale")),
            ("/apis/events.k8s.io/v1/events", Some("Event.events.k8s.io  * ")),
            ("/apis/authentication.k8s.io/v1/selfsubjectreviews", Some("SelfSubjectReview.authentication.k8s.io  * ")),
            ("/api/v1/pods/p", None),
            ("/api/v1/namespaces/a/nodes", None),
            ("/api/v1/namespaces/a/pods/p/nothing", None),
            ("/api/v1/namespaces/a/pods/p/log/more", None),
            ("/api/v1/namespaces/a/pods/p%2Fq", None),
            ("/api/v1/namespaces/a/pods//log", None),
            ("/api/v1/namespaces//pods", None),
            ("/api/v2/pods", None),
            ("/apis/apps/v1/deployments", None),
            ("/apis//v1/pods", None),
            ("/api/v1", None),
            ("pods", None),
        ] {
            assert_eq!(read(path).as_deref(), means, "{path}");
        }
    }
}
