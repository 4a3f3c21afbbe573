//! `fields.json`: the fields of every Go struct of Kubernetes' API, and what their Go types mean.

use crate::schema::served::{PACKAGES, Package};
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One field of a Go struct, as its tags describe it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GoField {
    /// JSON name; empty for an embedded struct whose fields appear in the parent.
    pub(crate) json: String,
    /// Protobuf number; absent for what protobuf does not carry (the type's name, which travels outside).
    #[serde(default)]
    pub(crate) number: u16,
    #[serde(rename = "type")]
    pub(crate) go: String,
    #[serde(default)]
    pub(crate) pointer: bool,
    #[serde(default)]
    pub(crate) omitempty: bool,
    #[serde(default)]
    pub(crate) patch_strategy: String,
    pub(crate) patch_merge_key: Option<String>,
}

/// Every Go type by package and name.
pub(crate) struct Packages(BTreeMap<String, BTreeMap<String, Value>>);

/// What a Go type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A scalar, by the name of its variant in `firstlight_api::schema::Of`.
    Scalar(&'static str),
    /// A struct: package and name.
    Struct(&'static str, String),
    List(Box<Meaning>),
    Map(Box<Meaning>),
}

impl Packages {
    pub(crate) fn new(json: Value) -> anyhow::Result<Packages> {
        Ok(Packages(serde_json::from_value(json).context("fields.json: packages of types")?))
    }

    /// The fields of a struct.
    pub(crate) fn fields(&self, package: &str, name: &str) -> anyhow::Result<Vec<GoField>> {
        let found = self.0.get(package).and_then(|types| types.get(name)).cloned();
        let found = found.with_context(|| format!("fields.json: no type {package}.{name}"))?;
        serde_json::from_value(found).with_context(|| format!("fields.json: {package}.{name}"))
    }

    /// What a Go type, written in `package`, means.
    pub(crate) fn meaning(&self, package: &str, go: &str) -> anyhow::Result<Meaning> {
        if let Some(scalar) = scalar(go) {
            return Ok(Meaning::Scalar(scalar));
        }
        if let Some(element) = go.strip_prefix("[]") {
            return Ok(Meaning::List(Box::new(self.meaning(package, element)?)));
        }
        if let Some((_, element)) = go.strip_prefix("map[").and_then(|rest| rest.split_once(']')) {
            return Ok(Meaning::Map(Box::new(self.meaning(package, element)?)));
        }
        let (package, name) = locate(package, go)?;
        if package.go == "meta.v1" {
            match name {
                "Time" => return Ok(Meaning::Scalar("Time")),
                "MicroTime" => return Ok(Meaning::Scalar("MicroTime")),
                "FieldsV1" => return Ok(Meaning::Scalar("FieldsV1")),
                _ => {}
            }
        }
        match self.0.get(package.go).and_then(|types| types.get(name)) {
            // A named list is a message of its own on the wire (`ExtraValue`), a list in JSON.
            Some(Value::String(alias)) if alias == "[]string" => Ok(Meaning::Scalar("Strings")),
            Some(Value::String(alias)) => self.meaning(package.go, alias),
            Some(_) => Ok(Meaning::Struct(package.go, name.to_owned())),
            None => bail!("fields.json: {} refers to the unknown type {go}", package.go),
        }
    }
}

fn scalar(go: &str) -> Option<&'static str> {
    Some(match go {
        "string" | "types.UID" => "Str",
        "[]byte" => "Bytes",
        "bool" => "Bool",
        "int32" => "Int32",
        "int64" => "Int64",
        "resource.Quantity" => "Quantity",
        "intstr.IntOrString" => "IntOrString",
        "runtime.RawExtension" => "Raw",
        _ => return None,
    })
}

/// The package and bare name of a type written in `package`.
fn locate<'a>(package: &str, go: &'a str) -> anyhow::Result<(&'static Package, &'a str)> {
    let (qualifier, name) = go.split_once('.').unwrap_or(("", go));
    let wanted = match qualifier {
        "" => package,
        "metav1" => "meta.v1",
        "v1" | "corev1" | "apiv1" => "v1",
        _ => bail!("fields.json: {package} refers to the unknown package of {go}"),
    };
    let found = PACKAGES.iter().find(|p| p.go == wanted);
    Ok((found.with_context(|| format!("package {wanted} is not among those taken"))?, name))
}
