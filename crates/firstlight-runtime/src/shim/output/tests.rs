use super::*;

const AT: Timestamp = Timestamp::constant(1_700_000_000, 5);
const STAMP: &str = "2023-11-14T22:13:20.000000005Z";

fn logged(feed: impl FnOnce(&mut Log)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), 3).unwrap();
    feed(&mut log);
    fs::read_to_string(dir.path().join("3.log")).unwrap()
}

#[test]
fn log_5_lines_of_both_streams_carry_their_time() {
    let text = logged(|log| {
        log.take(Stream::Stdout, b"one\ntw", AT);
        log.take(Stream::Stderr, b"oops\n", AT);
        log.take(Stream::Stdout, b"o\n\n", AT);
    });
    let expected = format!("{STAMP} stdout F one\n{STAMP} stderr F oops\n{STAMP} stdout F two\n{STAMP} stdout F \n");
    assert_eq!(text, expected);
}

#[test]
fn an_unfinished_last_line_is_a_part() {
    let text = logged(|log| {
        log.take(Stream::Stdout, b"no end", AT);
        log.end(Stream::Stdout, AT);
        log.end(Stream::Stderr, AT);
    });
    assert_eq!(text, format!("{STAMP} stdout P no end\n"));
}

#[test]
fn a_long_line_comes_in_parts_that_join_to_the_line() {
    let long = vec![b'x'; 2 * MAX_LINE + 7];
    let text = logged(|log| {
        log.take(Stream::Stdout, &long, AT);
        log.take(Stream::Stdout, b"\n", AT);
    });
    let lines: Vec<&str> = text.lines().collect();
    let tags: Vec<&str> = lines.iter().map(|l| l.split(' ').nth(2).unwrap()).collect();
    assert_eq!(tags, ["P", "P", "F"]);
    let joined: String = lines.iter().map(|l| l.splitn(4, ' ').nth(3).unwrap()).collect();
    assert_eq!(joined.len(), long.len());
}

#[test]
fn s30_a_flood_keeps_a_bounded_number_of_bounded_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    let line = [vec![b'x'; 1 << 20], vec![b'\n']].concat();
    for _ in 0..80 {
        log.take(Stream::Stdout, &line, AT);
    }
    let sizes: Vec<u64> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(sizes.len() as u64, KEPT + 1);
    assert!(sizes.iter().all(|&size| size <= MAX_FILE));
}
