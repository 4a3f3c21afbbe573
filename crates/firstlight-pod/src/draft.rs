//! With what is a container created whose variables come from files of its pod (ENV-11)? The decision cannot see those
//! files: it hands on a [`Draft`], and whoever can read them completes it, by the same rules as all other launches.

use crate::action::Launch;
use crate::decide::expand::expand;
use crate::spec::{FileRef, Mount};

/// The part of a launch that depends on variables, before they are all known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// The variables, the weakest first (ENV-1).
    pub variables: Vec<Variable>,
    /// The command, unexpanded.
    pub command: Vec<String>,
    /// Its arguments, unexpanded.
    pub args: Vec<String>,
    /// The mounts in spec order, `subPathExpr` unexpanded.
    pub mounts: Vec<Mount>,
}

/// A variable, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it will hold.
    pub value: Holds,
}

/// What a variable will hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// This, taken as it is (ENV-3).
    Known(String),
    /// This, its references expanded by the variables before it (ENV-2).
    Text(String),
    /// What a file says at the start.
    File(FileRef),
}

/// A draft, completed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Complete {
    /// The variables in order of definition, names unique; a later definition takes the place of an earlier one.
    pub env: Vec<(String, String)>,
    /// The command.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The mounts, parents first.
    pub mounts: Vec<Mount>,
}

impl Draft {
    /// Whether nothing of it stands in a file.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.variables.iter().any(|variable| matches!(variable.value, Holds::File(_)))
    }

    /// Puts it together. `read` tells the value of a variable that stands in a file; `None` leaves it out.
    ///
    /// # Errors
    /// The message of `CreateContainerConfigError`: what `read` says, or a name that a `subPathExpr` does not find
    /// (ENV-12).
    pub fn complete(
        &self,
        mut read: impl FnMut(&FileRef) -> Result<Option<String>, String>,
    ) -> Result<Complete, String> {
        let Draft { variables, command, args, mounts } = self;
        let mut env = Environment::default();
        for Variable { name, value } in variables {
            match value {
                Holds::Known(value) => env.set(name, value.clone()),
                Holds::Text(text) => env.set(name, expand(text, |name| env.get(name))),
                Holds::File(file) => {
                    if let Some(value) = read(file)? {
                        env.set(name, value);
                    }
                }
            }
        }
        let expanded = |texts: &[String]| texts.iter().map(|text| expand(text, |name| env.get(name))).collect();
        let mut mounts = mounts.iter().map(|mount| env.mount(mount)).collect::<Result<Vec<Mount>, _>>()?;
        mounts.sort_by_key(|mount| mount.path.split('/').filter(|part| !part.is_empty()).count());
        Ok(Complete { command: expanded(command), args: expanded(args), mounts, env: env.0 })
    }
}

impl Launch {
    /// The launch with its draft completed, if it has one: `read` as for [`Draft::complete`].
    ///
    /// # Errors
    /// As for [`Draft::complete`].
    pub fn completed(mut self, read: impl FnMut(&FileRef) -> Result<Option<String>, String>) -> Result<Launch, String> {
        let Some(draft) = self.draft.take() else { return Ok(self) };
        let Complete { env, command, args, mounts } = draft.complete(read)?;
        Ok(Launch { env, command, args, mounts, ..self })
    }
}

/// Variables in order of definition.
#[derive(Default)]
struct Environment(Vec<(String, String)>);

impl Environment {
    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// ENV-12: an unknown name in a `subPathExpr` is an error, and so is a path that leads out of the volume (VOL-9), in
    /// upstream's words (`pkg/kubelet/kubelet_pods.go`, `makeMounts`).
    fn mount(&self, mount: &Mount) -> Result<Mount, String> {
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
            Some(name) => Err(format!("missing value for \"{name}\"")),
            None if sub_path.starts_with('/') => {
                Err(format!("error SubPath `{sub_path}` must not be an absolute path"))
            }
            None if sub_path.split('/').any(|step| step == "..") => {
                Err(format!("unable to provision SubPath `{sub_path}`: must not contain '..'"))
            }
            None => Ok(Mount { sub_path, sub_path_expr: false, ..mount.clone() }),
        }
    }
}

#[cfg(test)]
mod tests;
