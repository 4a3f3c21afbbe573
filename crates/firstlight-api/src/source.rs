//! What an object holds that pods are made from: keys and bytes, as environment and files are made from them.

use crate::view::View;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use firstlight_pod::spec::SourceRef;
use serde_json::Value;
use std::collections::BTreeMap;

/// The data of a ConfigMap or Secret. A Secret's `data` and a ConfigMap's `binaryData` are base64; validation has
/// seen to that, so a value that is not is left out. A PersistentVolumeClaim holds the name of what it is bound to.
#[must_use]
pub fn data(object: &Value) -> BTreeMap<String, Vec<u8>> {
    let encoded = |field: &str| {
        let pairs = object.object(field).as_object().into_iter().flatten();
        pairs.filter_map(|(key, value)| Some((key.clone(), BASE64.decode(value.as_str()?).ok()?))).collect::<Vec<_>>()
    };
    if object.text("kind") == "PersistentVolumeClaim" {
        let volume = object.object("spec").text("volumeName").as_bytes().to_vec();
        return BTreeMap::from([(SourceRef::VOLUME.to_owned(), volume)]);
    }
    if object.text("kind") == "Secret" {
        return encoded("data").into_iter().collect();
    }
    let plain = object.object("data").as_object().into_iter().flatten();
    let plain = plain.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.as_bytes().to_vec())));
    plain.chain(encoded("binaryData")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_decoded_and_config_maps_taken_as_they_are() {
        let secret = json!({"kind": "Secret", "data": {"p": "d29yZA=="}});
        assert_eq!(data(&secret), BTreeMap::from([("p".to_owned(), b"word".to_vec())]));
        let map = json!({"kind": "ConfigMap", "data": {"a": "b"}, "binaryData": {"c": "AAE="}});
        let claim = json!({"kind": "PersistentVolumeClaim", "spec": {"volumeName": "pvc-1"}});
        assert_eq!(data(&claim), BTreeMap::from([("volume".to_owned(), b"pvc-1".to_vec())]));
        assert_eq!(data(&map), BTreeMap::from([("a".to_owned(), b"b".to_vec()), ("c".to_owned(), vec![0, 1])]));
    }
}
