//! Compresses the OpenAPI documents into the binary, so that serving one is sending stored bytes.

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=openapi");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("openapi")?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    let mut table = String::from("static DOCUMENTS: &[Document] = &[\n");
    for file in &files {
        let row = compress(file, &out)?;
        table.push_str(&row);
    }
    table.push_str("];\n");
    std::fs::write(out.join("openapi.rs"), table)
}

/// Writes one document's compressed form and returns its row of the table.
fn compress(file: &Path, out: &Path) -> io::Result<String> {
    let name = file.file_stem().expect("a listed file has a name").to_string_lossy().into_owned();
    let json = std::fs::read(file)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&json)?;
    let target = out.join(format!("{name}.json.gz"));
    std::fs::write(&target, encoder.finish()?)?;
    let mut hash = String::new();
    for byte in Sha256::digest(&json) {
        write!(hash, "{byte:02X}").expect("writing to a String cannot fail");
    }
    let path = name.replace("__", "/");
    Ok(format!("    Document {{ path: {path:?}, hash: {hash:?}, gzip: include_bytes!({target:?}) }},\n"))
}
