use super::*;
use std::fs::{create_dir, read_dir, write};

#[test]
fn a_directory_with_somebody_s_files_does_not_become_an_engine_s() {
    let directory = tempfile::tempdir().unwrap();
    check_place(&directory.path().join("not-yet-there")).unwrap();
    check_place(directory.path()).unwrap();
    write(directory.path().join("engine.log"), b"it did not start").unwrap();
    create_dir(directory.path().join("store")).unwrap();
    check_place(directory.path()).unwrap();
    write(directory.path().join("store").join("stock.csv"), b"somebody's").unwrap();
    let refused = check_place(directory.path()).unwrap_err().to_string();
    assert!(refused.ends_with("it holds store; name a --data-dir that is empty or does not exist yet"), "{refused}");
    write(directory.path().join("store").join("lock"), b"").unwrap();
    check_place(directory.path()).unwrap();
}

#[test]
fn the_end_removes_what_the_engine_kept_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    create_dir(&data).unwrap();
    create_dir(data.join("pki")).unwrap();
    for name in ["pki/ca.pem", "kubeconfig", "port", "thesis.txt"] {
        write(data.join(name), b"").unwrap();
    }
    end(&data, Duration::ZERO).unwrap();
    let left: Vec<_> = read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["thesis.txt"]);
    std::fs::remove_file(data.join("thesis.txt")).unwrap();
    end(&data, Duration::ZERO).unwrap();
    assert!(!data.exists());
}
