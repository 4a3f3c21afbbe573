use super::*;
use crate::shim::output::{Log, Stream};
use jiff::Timestamp;

/// A log in a directory of its own, written by the real writer.
struct World {
    dir: tempfile::TempDir,
    log: Log,
    second: i64,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(dir.path(), 0).unwrap();
        World { dir, log, second: 0 }
    }

    fn writes(&mut self, text: &str) {
        self.second += 1;
        self.log.take(Stream::Stdout, text.as_bytes(), Timestamp::from_second(self.second).unwrap());
    }

    fn reader(&self, options: LogOptions) -> Reader {
        Reader::new(Files::open(self.dir.path(), Path::new("."), 0), options)
    }

    fn read(&self, options: LogOptions) -> String {
        all(&mut self.reader(options))
    }
}

fn all(reader: &mut Reader) -> String {
    let mut text = Vec::new();
    loop {
        let more = reader.read();
        if more.is_empty() {
            return String::from_utf8(text).unwrap();
        }
        text.extend_from_slice(&more);
    }
}

fn three_lines() -> World {
    let mut world = World::new();
    for line in ["one\n", "two\n", "three\n"] {
        world.writes(line);
    }
    world
}

#[test]
fn all_of_it() {
    assert_eq!(three_lines().read(LogOptions::default()), "one\ntwo\nthree\n");
}

#[test]
fn the_last_lines() {
    let world = three_lines();
    let tail = |n| world.read(LogOptions { tail: Some(n), ..LogOptions::default() });
    assert_eq!([tail(0), tail(1), tail(2), tail(9)], ["", "three\n", "two\nthree\n", "one\ntwo\nthree\n"]);
}

#[test]
fn a_line_in_parts_is_one_line() {
    let mut world = World::new();
    let long = "x".repeat(40_000);
    world.writes(&format!("one\n{long}\n"));
    assert_eq!(world.read(LogOptions { tail: Some(1), ..LogOptions::default() }), format!("{long}\n"));
}

#[test]
fn lines_since_an_instant() {
    let since = LogOptions { since: Some(2000), ..LogOptions::default() };
    assert_eq!(three_lines().read(since), "two\nthree\n");
}

#[test]
fn lines_with_their_times() {
    let options = LogOptions { timestamps: true, tail: Some(1), ..LogOptions::default() };
    assert_eq!(three_lines().read(options), "1970-01-01T00:00:03.000000000Z three\n");
}

#[test]
fn no_more_bytes_than_asked_for() {
    assert_eq!(three_lines().read(LogOptions { limit: Some(6), ..LogOptions::default() }), "one\ntw");
}

#[test]
fn what_is_written_later_is_read_later() {
    let mut world = three_lines();
    let mut reader = world.reader(LogOptions::default());
    assert_eq!(all(&mut reader), "one\ntwo\nthree\n");
    world.writes("four\n");
    assert_eq!(all(&mut reader), "four\n");
}

#[test]
fn row_21_rotation_under_a_reader_leaves_no_gap_and_no_repeat() {
    let mut world = World::new();
    let mut reader = world.reader(LogOptions::default());
    let mut read = String::new();
    let mut written = String::new();
    let padding = "x".repeat(100_000);
    for n in 0..300 {
        let line = format!("{n} {padding}\n");
        world.writes(&line);
        written.push_str(&line);
        if n % 7 == 0 {
            read.push_str(&all(&mut reader));
        }
    }
    read.push_str(&all(&mut reader));
    assert!(read == written, "{} bytes read of {} written", read.len(), written.len());
}

#[test]
fn the_last_lines_may_be_in_older_files() {
    let mut world = World::new();
    let padding = "x".repeat(100_000);
    for n in 0..300 {
        world.writes(&format!("{n} {padding}\n"));
    }
    let tail = world.read(LogOptions { tail: Some(150), ..LogOptions::default() });
    assert!(tail.starts_with("150 "));
    assert_eq!(tail.lines().count(), 150);
}

#[test]
fn s10_names_never_lead_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("logs/pod/c")).unwrap();
    std::fs::write(dir.path().join("0.log"), "secret").unwrap();
    std::os::unix::fs::symlink(dir.path().join("0.log"), dir.path().join("logs/pod/c/0.log")).unwrap();
    let root = dir.path().join("logs");
    assert!(Files::attempts(&root, Path::new("..")).is_empty());
    assert!(Files::attempts(&root, Path::new("pod/../..")).is_empty());
    assert!(Files::open(&root, Path::new("pod/c"), 0).part(files::Part::Current).is_none());
}

#[test]
fn msg_3_the_last_word_from_the_log_is_bounded_by_lines_and_bytes() {
    let world = three_lines();
    assert_eq!(tail(world.dir.path(), 0, 2, 100), "two\nthree\n");
    assert_eq!(tail(world.dir.path(), 0, 2, 4), "ree\n");
    assert_eq!(tail(world.dir.path(), 7, 2, 4), "");
}
