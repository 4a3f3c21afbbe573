//! Where do a pod's ConfigMaps, Secrets and claims stand in the store? Asked by the keeper.

use firstlight_api::object::{Key, resources};
use firstlight_api::source::data;
use firstlight_pod::Event;
use firstlight_pod::spec::SourceRef;
use firstlight_store::Store;

/// What a source holds now, as the event that tells it.
pub(crate) fn now(store: &Store, namespace: &str, source: &SourceRef) -> Event {
    let (resource, name) = match source {
        SourceRef::ConfigMap(name) => (resources::CONFIGMAPS, name),
        SourceRef::Secret(name) => (resources::SECRETS, name),
        SourceRef::Claim(name) => (resources::PERSISTENTVOLUMECLAIMS, name),
    };
    let object = store.get(&Key::new(resource, namespace, name));
    Event::Source { source: source.clone(), content: object.map(|object| data(&object.value)) }
}

/// The source an object is, if it is one.
pub(crate) fn of(key: &Key) -> Option<SourceRef> {
    if key.resource == resources::CONFIGMAPS {
        Some(SourceRef::ConfigMap(key.name.clone()))
    } else if key.resource == resources::SECRETS {
        Some(SourceRef::Secret(key.name.clone()))
    } else if key.resource == resources::PERSISTENTVOLUMECLAIMS {
        Some(SourceRef::Claim(key.name.clone()))
    } else {
        None
    }
}
