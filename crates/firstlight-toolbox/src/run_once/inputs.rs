//! What a step's result depends on, as one digest.

use firstlight_bootstrap::Digest;

use crate::failure::Failure;
use crate::hash::Hasher;

/// One digest over everything the result depends on, names included: moving a value from one input to another differs.
pub fn digest(declared: &[String]) -> Result<Digest, Failure> {
    let mut hasher = Hasher::default();
    for input in declared {
        let value = match input.split_once(':') {
            Some(("env", name)) => {
                let value = std::env::var_os(name);
                value
                    .ok_or_else(|| Failure::usage(format!("--inputs {input}: the variable is not set")))?
                    .into_encoded_bytes()
            }
            Some(("text", text)) => text.as_bytes().to_vec(),
            Some(_) | None => {
                std::fs::read(input).map_err(|error| Failure::usage(format!("--inputs {input}: {error}")))?
            }
        };
        for part in [input.as_bytes(), &value] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.digest())
}

#[cfg(test)]
mod tests {
    use super::digest;

    fn of(inputs: &[&str]) -> String {
        let owned: Vec<String> = inputs.iter().map(|input| (*input).to_owned()).collect();
        digest(&owned).expect("readable").to_string()
    }

    #[test]
    fn names_values_and_their_order_all_count() {
        let all = [of(&[]), of(&["text:a"]), of(&["text:b"]), of(&["text:a", "text:b"]), of(&["text:b", "text:a"])];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_ne!(of(&["text:a", "text:"]), of(&["text:", "text:a"]));
    }
}
