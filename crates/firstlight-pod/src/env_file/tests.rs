use super::{Malformed, value};

fn found(text: &str, name: &str) -> Option<String> {
    value(text, name).unwrap()
}

fn wrong(text: &str) -> (usize, &'static str) {
    let Malformed { line, problem } = value(text, "NONE").unwrap_err();
    (line, problem)
}

#[test]
fn env_11_a_value_is_what_stands_between_the_quotes() {
    let text =
        "\n  \t# comment = 'x'\nA='one'\n\tB='two words' # why\nC='$(A) \\n \"#\"'\nD=''\nE= 'not taken'\nF='' \t\n";
    for (name, expected) in [("A", "one"), ("B", "two words"), ("C", "$(A) \\n \"#\""), ("D", ""), ("E", ""), ("F", "")]
    {
        assert_eq!(found(text, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(found(text, "G"), None);
    assert_eq!(found("A='1'\r\n", "B").as_deref(), None, "lines of another system end as ours");
}

#[test]
fn env_11_a_value_may_go_over_lines_and_the_first_of_a_name_counts() {
    assert_eq!(found("A='1\n  # 2\n\n3'\nA='4'", "A").as_deref(), Some("1\n  # 2\n\n3"));
    assert_eq!(found("A='1'\nno variable at all", "A").as_deref(), Some("1"), "what follows is not looked at");
}

#[test]
fn env_11_what_a_shell_might_take_but_is_not_quoted_is_refused_with_its_line() {
    for (text, line, problem) in [
        ("A=value", 1, "the value must stand in single quotes"),
        ("A=\"value\"", 1, "the value must stand in single quotes"),
        ("A=", 1, "the value must stand in single quotes"),
        ("A='1'\nB ='2'", 2, "there is space before the '='"),
        ("\n='2'", 2, "there is no name before the '='"),
        ("export A", 1, "there is no '='"),
        ("A='1' B='2'", 1, "there is something after the closing quote"),
        ("A='1\n2' x", 2, "there is something after the closing quote"),
        ("B='1'\nA='1\n2", 2, "the quote is never closed"),
    ] {
        assert_eq!(wrong(text), (line, problem), "{text}");
    }
}
