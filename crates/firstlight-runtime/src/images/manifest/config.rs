//! What does an image's configuration say about running it? Asked by `images.rs`. Pure; bounded and typed (S7).

use super::{LAYERS_MAX, platform};
use crate::images::ImageConfig;
use crate::images::digest::Digest;
use serde::Deserialize;

#[derive(Deserialize)]
struct Raw {
    os: String,
    architecture: String,
    rootfs: RawRootfs,
    #[serde(default)]
    config: Option<RawConfig>,
}

#[derive(Deserialize)]
struct RawRootfs {
    diff_ids: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RawConfig {
    user: Option<String>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
}

/// Reads a configuration: how to run the image, and the digests of its unpacked layers, bottom first.
///
/// # Errors
/// Why it is refused.
pub(in crate::images) fn config(bytes: &[u8]) -> Result<(ImageConfig, Vec<Digest>), String> {
    let raw: Raw =
        serde_json::from_slice(bytes).map_err(|e| format!("the image's configuration cannot be read: {e}"))?;
    let (made_for, here) = (format!("{}/{}", raw.os, raw.architecture), platform());
    if made_for != here {
        return Err(format!(
            "no match for platform in manifest: the image is for {made_for}, and this machine is {here}"
        ));
    }
    if raw.rootfs.diff_ids.len() > LAYERS_MAX {
        return Err(format!("it has {} layers, and at most {LAYERS_MAX} are allowed", raw.rootfs.diff_ids.len()));
    }
    let layers = raw.rootfs.diff_ids.iter().map(|id| Digest::parse(id)).collect::<Result<_, _>>()?;
    let RawConfig { user, env, entrypoint, cmd, working_dir, stop_signal } = raw.config.unwrap_or_default();
    let config = ImageConfig {
        entrypoint: entrypoint.unwrap_or_default(),
        cmd: cmd.unwrap_or_default(),
        env: env.unwrap_or_default().iter().map(|var| variable(var)).collect::<Result<_, _>>()?,
        user: user.unwrap_or_default(),
        working_dir: working_dir.unwrap_or_default(),
        stop_signal: stop_signal.filter(|signal| !signal.is_empty()),
    };
    check(&config)?;
    Ok((config, layers))
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // Docker writes a variable without a value for `ENV NAME=`.
        None if !text.is_empty() => Ok((text.to_owned(), String::new())),
        _ => Err(format!("the image's configuration: {text:?} in Env names no variable")),
    }
}

/// What no process can be given, and a working directory that climbs.
fn check(config: &ImageConfig) -> Result<(), String> {
    let ImageConfig { entrypoint, cmd, env, user, working_dir, stop_signal } = config;
    let env = env.iter().flat_map(|(name, value)| [name, value]);
    let mut texts = entrypoint.iter().chain(cmd).chain(env).chain([user, working_dir]).chain(stop_signal);
    if texts.any(|text| text.contains('\0')) {
        return Err("the image's configuration has a zero byte in a text".to_owned());
    }
    if !working_dir.is_empty() && (!working_dir.starts_with('/') || working_dir.split('/').any(|part| part == "..")) {
        return Err(format!("the image's configuration: WorkingDir {working_dir:?} must be absolute, without '..'"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
