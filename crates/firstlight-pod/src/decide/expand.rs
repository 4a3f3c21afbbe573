//! `$(NAME)` references, as Kubernetes expands them (ENV-2).

use crate::spec::{EnvValue, EnvVar};

/// Text with each `$(NAME)` replaced by what `value` gives for it; unknown names stay as written, and `$$` stands
/// for one `$` that begins no reference.
pub(crate) fn expand(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
            match value(name) {
                Some(value) => out.push_str(&value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// The command of a probe. It knows the texts of the container's own `env`, as they are written; a variable that comes
/// from elsewhere is empty there (PRB-7).
pub(crate) fn probe_command(command: &[String], env: &[EnvVar]) -> Vec<String> {
    let value = |name: &str| match &env.iter().rfind(|var| var.name == name)?.value {
        EnvValue::Text(text) => Some(text.clone()),
        EnvValue::Key { .. } | EnvValue::Field(_) | EnvValue::Resource(_) | EnvValue::File(_) => Some(String::new()),
    };
    command.iter().map(|word| expand(word, value)).collect()
}

#[cfg(test)]
mod tests;
