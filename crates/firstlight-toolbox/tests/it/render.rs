//! `fl render` from outside: files as they are on disk, and the codes.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::program::{Ended, fl, run, text, write};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Renders `NAME.j2` to `out/NAME` for each name.
    fn render(&self, names: &[&str], more: &[&str]) -> Ended {
        let mut command = fl(["render"]);
        for name in names {
            command.arg(format!(
                "{}:{}",
                text(&self.path(&format!("{name}.j2"))),
                text(&self.path(&format!("out/{name}")))
            ));
        }
        run({
            command.args(more);
            command
        })
    }
}

#[test]
fn values_come_from_documents_texts_and_files_code_0() {
    let folder = Folder::new();
    write(
        &folder.path("config.toml.j2"),
        "moniker = {{ moniker|tojson }}\npeers = \"{{ id }}@{{ host }}\"\nkey = {{ key.pub_key.value|tojson }}\n",
    );
    write(&folder.path("key.json"), "{\"pub_key\":{\"value\":\"kF2+/=\"}}");
    write(&folder.path("id"), "e1c2\n");
    let (key, id) =
        (format!("--data=key={}", text(&folder.path("key.json"))), format!("--set=id=@{}", text(&folder.path("id"))));
    let more = ["--set=moniker=chain-0 \"x\"", "--set=host=leader:26656", &key, &id, "--mode=0604"];
    folder.render(&["config.toml"], &more).with(0);
    let out = folder.path("out/config.toml");
    let expected = "moniker = \"chain-0 \\\"x\\\"\"\npeers = \"e1c2@leader:26656\"\nkey = \"kF2+/=\"\n";
    assert_eq!(std::fs::read_to_string(&out).expect("there"), expected);
    let before = std::fs::metadata(&out).expect("there");
    assert_eq!(before.permissions().mode() & 0o7777, 0o604);
    // The same again is not written again.
    folder.render(&["config.toml"], &more).with(0);
    let after = std::fs::metadata(&out).expect("there");
    assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
}

#[test]
fn a_bad_template_or_value_is_code_2_and_the_old_file_stays_u4() {
    let folder = Folder::new();
    write(&folder.path("a.j2"), "{{ chain_id }}");
    folder.render(&["a"], &["--set=chain_id=old"]).with(0);
    write(&folder.path("a.j2"), "first\n{{ chian_id }}");
    let ended = folder.render(&["a"], &["--set=chain_id=new"]).with(2);
    assert!(ended.said.contains("a.j2:2") && ended.said.contains("defined are: chain_id"), "{}", ended.said);
    write(&folder.path("a.j2"), "{% if %}");
    folder.render(&["a"], &[]).with(2);
    folder.render(&["missing"], &[]).with(2);
    run(fl(["render", "no-colon"])).with(2);
    write(&folder.path("a.j2"), "{{ x }}");
    for more in [["--set=x"], ["--set=x-y=1"], ["--data=x=/etc/hostname"], ["--data=x=/no/such.json"], ["--mode=999"]] {
        folder.render(&["a"], &more).with(2);
    }
    folder.render(&["a"], &["--set=x=1", "--set=x=2"]).with(2);
    assert_eq!(std::fs::read_to_string(folder.path("out/a")).expect("there"), "old");
}

#[test]
fn a_result_that_is_none_is_code_4_and_nothing_of_the_set_is_written_e19() {
    let folder = Folder::new();
    write(&folder.path("good.j2"), "fine");
    write(&folder.path("bad.json.j2"), "{\"a\": }");
    write(&folder.path("empty.j2"), "{% if x == 'y' %}text{% endif %}\n");
    folder.render(&["good", "bad.json"], &["--set=x=1"]).with(4);
    folder.render(&["good", "empty"], &["--set=x=1"]).with(4);
    assert!(!folder.path("out").exists());
    folder.render(&["good", "empty"], &["--set=x=1", "--allow-empty"]).with(0);
    assert_eq!(std::fs::read_dir(folder.path("out")).expect("listed").count(), 2);
}

#[test]
fn it_becomes_the_command() {
    let folder = Folder::new();
    write(&folder.path("a.j2"), "{{ x }}");
    let out = text(&folder.path("out/a")).to_owned();
    let ended = folder.render(&["a"], &["--set=x=1", "--", "cat", &out]).with(0);
    assert_eq!(ended.printed, "1");
    folder.render(&["a"], &["--set=x=1", "--", "/no/such/command"]).with(127);
}
