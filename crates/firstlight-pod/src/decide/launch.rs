//! With what exactly is a container created? References resolved, and put together by `draft.rs` (section 1.20).

use crate::action::Launch;
use crate::draft::{Complete, Draft, Holds, Variable};
use crate::seen::Seen;
use crate::spec::{
    Container, EnvFrom, EnvValue, EnvVar, FieldRef, Init, Mount, Qos, ResourceRef, SourceRef, Spec, VolumeKind,
};

/// Why a container cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// The shell has not told whether this exists.
    Untold(SourceRef),
    /// The message of `CreateContainerConfigError`.
    Wrong(String),
}

/// Everything needed to create the container now.
pub(crate) fn launch(spec: &Spec, seen: &Seen, container: &Container) -> Result<Launch, Unresolved> {
    let draft = Draft {
        variables: variables(spec, seen, container)?,
        command: container.command.clone(),
        args: container.args.clone(),
        mounts: container.mounts.iter().map(|mount| guarded(spec, mount)).collect(),
    };
    let known = draft.is_known();
    let Complete { env, command, args, mounts } = match known {
        true => draft.complete(|_| Ok(None)).map_err(Unresolved::Wrong)?,
        false => Complete::default(),
    };
    Ok(Launch {
        image: container.image.clone(),
        command,
        args,
        working_dir: container.working_dir.clone(),
        mounts,
        security: container.security.clone(),
        resources: container.resources,
        oom_score: oom_score(spec, container),
        stop_signal: container.stop_signal.clone(),
        termination_message_path: container.termination_message_path.clone(),
        termination_message_from_log: container.termination_message_from_log,
        target: spec
            .ephemerals
            .iter()
            .find(|ephemeral| ephemeral.container.name == container.name)
            .and_then(|ephemeral| ephemeral.target.clone()),
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        tty: container.tty,
        env,
        draft: (!known).then(|| Box::new(draft)),
    })
}

/// The mount, read-only if its volume is.
fn guarded(spec: &Spec, mount: &Mount) -> Mount {
    let volume = spec.volumes.iter().find(|volume| volume.name == mount.volume);
    let read_only = volume.is_some_and(|volume| match volume.kind {
        VolumeKind::Claim { read_only, .. } => read_only,
        VolumeKind::EmptyDir { .. }
        | VolumeKind::Files { .. }
        | VolumeKind::HostPath { .. }
        | VolumeKind::Image { .. } => false,
    });
    Mount { read_only: mount.read_only || read_only, ..mount.clone() }
}

/// RES-7 (upstream: `pkg/kubelet/qos/policy.go`).
fn oom_score(spec: &Spec, container: &Container) -> i32 {
    /// Left for those that use all they asked for and no more.
    const GUARANTEED: i32 = -997;
    /// The first to go.
    const BEST_EFFORT: i32 = 1000;
    let sidecar = spec.inits.iter().any(|init| matches!(init, Init::Sidecar(own) if own.name == container.name));
    let request = |container: &Container| container.resources.memory_request.unwrap_or(0);
    let own = request(container);
    let counted = match spec.mains.iter().map(request).min() {
        Some(least) if sidecar => own.max(least),
        _ => own,
    };
    let share = counted.saturating_mul(1000) / spec.rules.allocatable_memory.max(1);
    match spec.qos {
        Qos::Guaranteed => GUARANTEED,
        Qos::BestEffort => BEST_EFFORT,
        Qos::Burstable => {
            let score = BEST_EFFORT.saturating_sub(i32::try_from(share).unwrap_or(BEST_EFFORT));
            score.clamp(BEST_EFFORT + GUARANTEED, BEST_EFFORT - 1)
        }
    }
}

/// ENV-1: the node's variables, then `envFrom`, then `env`.
fn variables(spec: &Spec, seen: &Seen, container: &Container) -> Result<Vec<Variable>, Unresolved> {
    let node = spec.rules.environment.iter();
    let mut variables: Vec<Variable> = node.map(|(name, value)| known(name.clone(), value.clone())).collect();
    for from in &container.env_from {
        import(seen, from, &mut variables)?;
    }
    for EnvVar { name, value } in &container.env {
        if let Some(value) = holds(spec, seen, value)? {
            variables.push(Variable { name: name.clone(), value });
        }
    }
    Ok(variables)
}

fn known(name: String, value: String) -> Variable {
    Variable { name, value: Holds::Known(value) }
}

/// ENV-6.
fn import(seen: &Seen, from: &EnvFrom, variables: &mut Vec<Variable>) -> Result<(), Unresolved> {
    match seen.sources.get(&from.source) {
        None => Err(Unresolved::Untold(from.source.clone())),
        Some(None) if from.optional => Ok(()),
        Some(None) => Err(Unresolved::Wrong(not_found(&from.source))),
        Some(Some(data)) => {
            let values =
                data.iter().map(|(key, value)| (format!("{}{key}", from.prefix), String::from_utf8_lossy(value)));
            variables.extend(values.map(|(name, value)| known(name, value.into_owned())));
            Ok(())
        }
    }
}

/// What the variable will hold; `None` leaves it out (ENV-7).
fn holds(spec: &Spec, seen: &Seen, value: &EnvValue) -> Result<Option<Holds>, Unresolved> {
    match value {
        EnvValue::Text(text) => Ok(Some(Holds::Text(text.clone()))),
        EnvValue::Field(of) => Ok(Some(Holds::Known(field(spec, seen, of)))),
        EnvValue::Resource(of) => resource(spec, of).map(Holds::Known).map(Some).map_err(Unresolved::Wrong),
        EnvValue::File(file) => Ok(Some(Holds::File(file.clone()))),
        EnvValue::Key { source, key, optional } => match seen.sources.get(source) {
            None => Err(Unresolved::Untold(source.clone())),
            Some(None) if *optional => Ok(None),
            Some(None) => Err(Unresolved::Wrong(not_found(source))),
            Some(Some(data)) => match data.get(key) {
                Some(value) => Ok(Some(Holds::Known(String::from_utf8_lossy(value).into_owned()))),
                None if *optional => Ok(None),
                None => Err(Unresolved::Wrong(key_not_found(spec, source, key))),
            },
        },
    }
}

/// A field of the pod as text (ENV-9); the addresses are empty until the sandbox is up.
pub(crate) fn field(spec: &Spec, seen: &Seen, field: &FieldRef) -> String {
    match field {
        FieldRef::Name => spec.id.name.clone(),
        FieldRef::Namespace => spec.id.namespace.clone(),
        FieldRef::Uid => spec.id.uid.clone(),
        FieldRef::Label(key) => spec.labels.get(key).cloned().unwrap_or_default(),
        FieldRef::Annotation(key) => spec.annotations.get(key).cloned().unwrap_or_default(),
        // Only volumes may ask for these, and they spell them out as lines.
        FieldRef::Labels | FieldRef::Annotations => String::new(),
        FieldRef::NodeName => spec.node.clone(),
        FieldRef::ServiceAccountName => spec.service_account.clone(),
        FieldRef::HostIp => seen.sandbox.host_ip().unwrap_or_default().to_owned(),
        FieldRef::PodIp => seen.sandbox.pod_ip().unwrap_or_default().to_owned(),
    }
}

/// A container's resource as text, rounded up to whole divisors; the node's own stands in for a missing limit
/// (ENV-10).
pub(crate) fn resource(spec: &Spec, of: &ResourceRef) -> Result<String, String> {
    let ResourceRef { container, resource, divisor_micro } = of;
    let Some(owner) = spec.container(container) else {
        return Err(format!("container \"{container}\" not found"));
    };
    let (cpu, memory) = (spec.rules.allocatable_cpu, spec.rules.allocatable_memory);
    let resources = &owner.resources;
    // Both scales meet in millionths: of a core for CPU, of a byte for memory.
    let micro = match resource.as_str() {
        "limits.cpu" => u128::from(resources.cpu_limit.unwrap_or(cpu)) * 1_000,
        "requests.cpu" => u128::from(resources.cpu_request.unwrap_or(0)) * 1_000,
        "limits.memory" => u128::from(resources.memory_limit.unwrap_or(memory)) * 1_000_000,
        "requests.memory" => u128::from(resources.memory_request.unwrap_or(0)) * 1_000_000,
        other => return Err(format!("unsupported container resource : {other}")),
    };
    Ok(micro.div_ceil((*divisor_micro).max(1)).to_string())
}

/// ENV-6.
pub(crate) fn not_found(source: &SourceRef) -> String {
    match source {
        SourceRef::ConfigMap(name) => format!("configmap \"{name}\" not found"),
        SourceRef::Secret(name) => format!("secret \"{name}\" not found"),
        // VOL-11
        SourceRef::Claim(name) => format!("persistentvolumeclaim \"{name}\" not found"),
    }
}

/// The source by name, for people.
pub(crate) fn named(source: &SourceRef) -> String {
    match source {
        SourceRef::ConfigMap(name) => format!("configmap \"{name}\""),
        SourceRef::Secret(name) => format!("secret \"{name}\""),
        SourceRef::Claim(name) => format!("persistentvolumeclaim \"{name}\""),
    }
}

/// ENV-7.
fn key_not_found(spec: &Spec, source: &SourceRef, key: &str) -> String {
    let namespace = &spec.id.namespace;
    match source {
        SourceRef::ConfigMap(name) => format!("couldn't find key {key} in ConfigMap {namespace}/{name}"),
        SourceRef::Secret(name) => format!("couldn't find key {key} in Secret {namespace}/{name}"),
        SourceRef::Claim(name) => format!("couldn't find key {key} in PersistentVolumeClaim {namespace}/{name}"),
    }
}

#[cfg(test)]
mod tests;
