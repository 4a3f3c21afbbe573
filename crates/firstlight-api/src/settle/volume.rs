//! Volumes (VOL): configMap, secret, downwardAPI and projected volumes all become files.

use super::reference;
use crate::quantity::Quantity;
use crate::refuse::Refusals;
use crate::view::View;
use firstlight_pod::spec::{HostPathType, Projection, SizeLimit, SourceRef, Volume, VolumeKind};
use serde_json::Value;

/// Mode of files whose volume names none (VOL-3).
const DEFAULT_MODE: u32 = 0o644;

pub(super) fn settle(volume: &Value, spec: &Value, path: &str, refused: &mut Refusals) -> Option<Volume> {
    Some(Volume { name: volume.text("name").to_owned(), kind: kind(volume, spec, path, refused)? })
}

fn kind(volume: &Value, spec: &Value, path: &str, refused: &mut Refusals) -> Option<VolumeKind> {
    if let Some(config_map) = volume.get_some("configMap") {
        let source = SourceRef::ConfigMap(config_map.text("name").to_owned());
        Some(files(config_map, vec![keys(source, config_map)], false))
    } else if let Some(secret) = volume.get_some("secret") {
        let source = SourceRef::Secret(secret.text("secretName").to_owned());
        Some(files(secret, vec![keys(source, secret)], true))
    } else if let Some(downward) = volume.get_some("downwardAPI") {
        Some(files(downward, downward_items(downward, &format!("{path}.downwardAPI"), refused), false))
    } else if let Some(projected) = volume.get_some("projected") {
        Some(self::projected(projected, &format!("{path}.projected"), refused))
    } else if let Some(host) = volume.get_some("hostPath") {
        Some(VolumeKind::HostPath { path: host.text("path").to_owned(), check: host_check(host.text("type")) })
    } else if let Some(claim) = volume.get_some("persistentVolumeClaim") {
        Some(VolumeKind::Claim {
            name: claim.text("claimName").to_owned(),
            read_only: claim.flag("readOnly"),
            trust_root: spec.object("securityContext").text("fsGroupChangePolicy") == "OnRootMismatch",
        })
    } else if let Some(image) = volume.get_some("image") {
        Some(VolumeKind::Image {
            reference: image.text("reference").to_owned(),
            pull: super::container::pull(image.text("pullPolicy")),
        })
    } else if let Some(empty) = volume.get_some("emptyDir") {
        Some(empty_dir(empty, &format!("{path}.emptyDir"), refused))
    } else if volume.as_object().is_none_or(|v| v.iter().all(|(key, value)| key == "name" || value.is_null())) {
        // VOL-17
        Some(VolumeKind::EmptyDir { memory: false, size_limit: None })
    } else {
        refused.forbidden(
            path,
            "this kind of volume is not honoured; use emptyDir, configMap, secret, downwardAPI, projected, \
             persistentVolumeClaim, image or hostPath",
        );
        None
    }
}

fn files(of: &Value, projections: Vec<Projection>, memory: bool) -> VolumeKind {
    VolumeKind::Files { projections, default_mode: mode(of, "defaultMode").unwrap_or(DEFAULT_MODE), memory }
}

fn mode(of: &Value, key: &str) -> Option<u32> {
    of.int(key).and_then(|mode| u32::try_from(mode).ok()).map(|mode| mode & 0o777)
}

fn keys(source: SourceRef, of: &Value) -> Projection {
    let items = of.list("items").iter();
    let items = items.map(|i| (i.text("key").to_owned(), i.text("path").to_owned(), mode(i, "mode"))).collect();
    Projection::Source { source, items, optional: of.flag("optional") }
}

fn downward_items(of: &Value, path: &str, refused: &mut Refusals) -> Vec<Projection> {
    let items = of.list("items").iter().enumerate();
    items.filter_map(|(i, item)| downward_item(item, &format!("{path}.items[{i}]"), refused)).collect()
}

fn downward_item(item: &Value, at: &str, refused: &mut Refusals) -> Option<Projection> {
    let (path, mode) = (item.text("path").to_owned(), mode(item, "mode"));
    if let Some(of) = item.get_some("fieldRef") {
        let field = reference::field_ref(of, &format!("{at}.fieldRef"), refused)?;
        Some(Projection::Field { path, field, mode })
    } else {
        let of = item.object("resourceFieldRef");
        let resource = reference::resource_ref(of, None, &format!("{at}.resourceFieldRef"), refused)?;
        Some(Projection::Resource { path, resource, mode })
    }
}

/// The projections that are not made here; a source that names none of any kind projects nothing.
const UNHONOURED: [&str; 3] = ["serviceAccountToken", "clusterTrustBundle", "podCertificate"];

fn projected(of: &Value, path: &str, refused: &mut Refusals) -> VolumeKind {
    let mut projections = Vec::new();
    let mut memory = false;
    for (i, source) in of.list("sources").iter().enumerate() {
        let at = format!("{path}.sources[{i}]");
        if let Some(config_map) = source.get_some("configMap") {
            projections.push(keys(SourceRef::ConfigMap(config_map.text("name").to_owned()), config_map));
        } else if let Some(secret) = source.get_some("secret") {
            memory = true;
            projections.push(keys(SourceRef::Secret(secret.text("name").to_owned()), secret));
        } else if let Some(downward) = source.get_some("downwardAPI") {
            projections.extend(downward_items(downward, &format!("{at}.downwardAPI"), refused));
        } else if UNHONOURED.iter().any(|kind| source.get_some(kind).is_some()) {
            refused.forbidden(&at, "this projection is not honoured; use configMap, secret or downwardAPI");
        }
    }
    files(of, projections, memory)
}

fn empty_dir(of: &Value, path: &str, refused: &mut Refusals) -> VolumeKind {
    let limit = of.get_some("sizeLimit");
    let bytes = limit.and_then(|v| Quantity::of(v).ok()).and_then(|q| u64::try_from(q.units()).ok());
    if let (Some(value), None) = (limit, bytes) {
        refused.invalid(&format!("{path}.sizeLimit"), value.clone(), "must be a quantity greater than or equal to 0");
    }
    // A limit of zero means none, as upstream treats it.
    let size_limit = bytes.filter(|bytes| *bytes > 0).map(|bytes| {
        // What is stored is canonical text; anything else is said in bytes.
        let text = limit.and_then(Value::as_str).map_or_else(|| bytes.to_string(), str::to_owned);
        SizeLimit { bytes, text }
    });
    VolumeKind::EmptyDir { memory: of.text("medium") == "Memory", size_limit }
}

fn host_check(kind: &str) -> HostPathType {
    match kind {
        "DirectoryOrCreate" => HostPathType::DirectoryOrCreate,
        "Directory" => HostPathType::Directory,
        "FileOrCreate" => HostPathType::FileOrCreate,
        "File" => HostPathType::File,
        "Socket" => HostPathType::Socket,
        "CharDevice" => HostPathType::CharDevice,
        "BlockDevice" => HostPathType::BlockDevice,
        _ => HostPathType::Unset,
    }
}
