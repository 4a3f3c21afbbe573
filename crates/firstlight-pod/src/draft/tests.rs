use super::*;
use crate::spec::PullPolicy;

fn draft() -> Draft {
    let variable = |name: &str, value| Variable { name: name.to_owned(), value };
    let file = |key: &str, optional| {
        let (volume, path) = ("v".to_owned(), "out/vars".to_owned());
        Holds::File(FileRef { volume, path, key: key.to_owned(), optional })
    };
    Draft {
        variables: vec![
            variable("HOST", Holds::Known("$(A)".to_owned())),
            variable("A", file("X", false)),
            variable("B", file("Y", true)),
            variable("URL", Holds::Text("http://$(A)/$(B)/$(HOST)".to_owned())),
        ],
        command: vec!["run".to_owned(), "$(URL)".to_owned()],
        args: vec!["$(A)".to_owned()],
        mounts: vec![Mount {
            volume: "v".to_owned(),
            path: "/v".to_owned(),
            sub_path: "$(A)".to_owned(),
            sub_path_expr: true,
            ..Mount::default()
        }],
    }
}

#[test]
fn env_11_what_a_file_says_is_known_to_all_that_follows_and_is_taken_as_it_is() {
    let read = |file: &FileRef| Ok((file.key == "X").then(|| "$(HOST)".to_owned()));
    let Complete { env, command, args, mounts } = draft().complete(read).expect("it completes");
    let url = "http://$(HOST)/$(B)/$(A)";
    let expected = [("HOST", "$(A)"), ("A", "$(HOST)"), ("URL", url)];
    assert_eq!(env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((command, args), (vec!["run".to_owned(), url.to_owned()], vec!["$(HOST)".to_owned()]));
    assert_eq!(mounts[0].sub_path, "$(HOST)");
}

#[test]
fn env_11_what_cannot_be_read_is_the_launchs_own_trouble() {
    let refused = draft().complete(|file| Err(format!("no {}", file.path)));
    assert_eq!(refused, Err("no out/vars".to_owned()));
    let unknown = Draft { variables: Vec::new(), ..draft() }.complete(|_| Ok(None));
    assert_eq!(unknown, Err("missing value for \"A\"".to_owned()), "ENV-12");
}

#[test]
fn env_11_only_a_draft_is_completed_and_nothing_else_of_a_launch_changes() {
    let launch = Launch { image: "i".to_owned(), draft: Some(Box::new(draft())), ..Launch::default() };
    let read = |_: &FileRef| Ok(Some("x".to_owned()));
    let done = launch.completed(read).expect("it completes");
    assert_eq!((done.image.as_str(), done.env.len(), done.draft.is_none()), ("i", 4, true));
    assert_eq!(done.clone().completed(|_| Err(format!("{:?}", PullPolicy::Never))), Ok(done));
}
