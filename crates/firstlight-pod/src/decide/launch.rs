//! With what exactly is a container created? References resolved, `$(NAME)` expanded (section 1.20).

use super::expand::expand;
use crate::action::Launch;
use crate::seen::Seen;
use crate::spec::{Container, EnvFrom, EnvValue, EnvVar, FieldRef, Mount, ResourceRef, SourceRef, Spec};

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
    let env = Environment::of(spec, seen, container)?;
    let expanded = |texts: &[String]| texts.iter().map(|text| expand(text, |name| env.get(name))).collect();
    let mut mounts = container.mounts.iter().map(|mount| env.mount(mount)).collect::<Result<Vec<Mount>, _>>()?;
    mounts.sort_by_key(|mount| mount.path.split('/').filter(|part| !part.is_empty()).count());
    Ok(Launch {
        image: container.image.clone(),
        command: expanded(&container.command),
        args: expanded(&container.args),
        working_dir: container.working_dir.clone(),
        mounts,
        security: container.security.clone(),
        resources: container.resources,
        stop_signal: container.stop_signal.clone(),
        termination_message_path: container.termination_message_path.clone(),
        termination_message_from_log: container.termination_message_from_log,
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        tty: container.tty,
        env: env.0,
    })
}

/// Variables in order of definition, names unique; a later definition takes the place of an earlier one.
struct Environment(Vec<(String, String)>);

impl Environment {
    /// ENV-1: the node's variables, then `envFrom`, then `env`.
    fn of(spec: &Spec, seen: &Seen, container: &Container) -> Result<Environment, Unresolved> {
        let mut env = Environment(Vec::new());
        for (name, value) in &spec.rules.environment {
            env.set(name, value.clone());
        }
        for from in &container.env_from {
            env.import(seen, from)?;
        }
        for EnvVar { name, value } in &container.env {
            if let Some(value) = env.value(spec, seen, value)? {
                env.set(name, value);
            }
        }
        Ok(env)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// ENV-6.
    fn import(&mut self, seen: &Seen, from: &EnvFrom) -> Result<(), Unresolved> {
        match seen.sources.get(&from.source) {
            None => Err(Unresolved::Untold(from.source.clone())),
            Some(None) if from.optional => Ok(()),
            Some(None) => Err(Unresolved::Wrong(not_found(&from.source))),
            Some(Some(data)) => {
                for (key, value) in data {
                    self.set(&format!("{}{key}", from.prefix), String::from_utf8_lossy(value).into_owned());
                }
                Ok(())
            }
        }
    }

    /// The variable's value; `None` leaves it out (ENV-7).
    fn value(&self, spec: &Spec, seen: &Seen, value: &EnvValue) -> Result<Option<String>, Unresolved> {
        match value {
            EnvValue::Text(text) => Ok(Some(expand(text, |name| self.get(name)))),
            EnvValue::Field(of) => Ok(Some(field(spec, seen, of))),
            EnvValue::Resource(of) => resource(spec, of).map(Some).map_err(Unresolved::Wrong),
            EnvValue::Key { source, key, optional } => match seen.sources.get(source) {
                None => Err(Unresolved::Untold(source.clone())),
                Some(None) if *optional => Ok(None),
                Some(None) => Err(Unresolved::Wrong(not_found(source))),
                Some(Some(data)) => match data.get(key) {
                    Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
                    None if *optional => Ok(None),
                    None => Err(Unresolved::Wrong(key_not_found(spec, source, key))),
                },
            },
        }
    }

    /// ENV-12: an unknown name in a `subPathExpr` is an error.
    fn mount(&self, mount: &Mount) -> Result<Mount, Unresolved> {
        let mut missing = None;
        let sub_path = if mount.sub_path_expr {
            expand(&mount.sub_path, |name| {
                let value = self.get(name);
                if value.is_none() {
                    missing.get_or_insert(name.to_owned());
                }
                value
            })
        } else {
            mount.sub_path.clone()
        };
        match missing {
            Some(name) => Err(Unresolved::Wrong(format!("missing value for \"{name}\""))),
            None => Ok(Mount { sub_path, sub_path_expr: false, ..mount.clone() }),
        }
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
    }
}

/// The source by name, for people.
pub(crate) fn named(source: &SourceRef) -> String {
    match source {
        SourceRef::ConfigMap(name) => format!("configmap \"{name}\""),
        SourceRef::Secret(name) => format!("secret \"{name}\""),
    }
}

/// ENV-7.
fn key_not_found(spec: &Spec, source: &SourceRef, key: &str) -> String {
    let namespace = &spec.id.namespace;
    match source {
        SourceRef::ConfigMap(name) => format!("couldn't find key {key} in ConfigMap {namespace}/{name}"),
        SourceRef::Secret(name) => format!("couldn't find key {key} in Secret {namespace}/{name}"),
    }
}

#[cfg(test)]
mod tests;
