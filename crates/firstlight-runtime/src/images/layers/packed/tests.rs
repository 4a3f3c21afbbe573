//! Decompression bombs are stopped, real layers are not.

use super::*;

/// As many bytes as anybody asks for, at no cost.
struct Endless;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }
}

fn bounded(packed: u64) -> Bounded<Endless> {
    Bounded { source: Endless, count: 0, packed: Rc::new(Cell::new(packed)) }
}

/// How many bytes come before it is stopped.
fn drain(mut reader: impl Read, most: u64) -> (u64, Option<String>) {
    let mut buffer = vec![0; 4 << 20];
    let mut count = 0;
    while count < most {
        match reader.read(&mut buffer) {
            Ok(read) => count += read as u64,
            Err(e) => return (count, Some(e.to_string())),
        }
    }
    (count, None)
}

#[test]
fn s6_a_bomb_is_stopped_soon_after_it_is_big_enough_to_matter() {
    let (count, error) = drain(bounded(1 << 20), 2 << 30);
    assert!(error.unwrap().contains("decompression bomb"));
    assert!((1 << 30..(1 << 30) + (8 << 20)).contains(&count), "{count}");
}

#[test]
fn what_shrinks_well_but_is_small_or_shrinks_as_real_things_do_is_taken() {
    assert_eq!(drain(bounded(1 << 20), 1 << 30).1, None);
    assert_eq!(drain(bounded(10 << 20), (1 << 30) + (64 << 20)).1, None);
}
