//! Nix (`nix-instantiate`, Debian's package nix-bin), without a store, without its configuration and without what the
//! caller's environment says.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where the files for Nix are.
pub(crate) fn nix() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix").canonicalize().unwrap()
}

/// The stand-in for nixpkgs' library, as an expression.
pub(crate) fn stub() -> String {
    format!("(import {}/tests/stub)", nix().display())
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new("nix-instantiate");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
    // The machine's own configuration could name other stores.
    command.env("NIX_CONF_DIR", "/nonexistent").env("NIX_USER_CONF_FILES", "");
    command.args(["--store", "dummy://"]).args(arguments);
    command
}

/// The value of an expression, all of it.
///
/// # Errors
/// What Nix says where it is none.
pub(crate) fn evaluate(expression: &str) -> Result<Value, String> {
    let mut command = program(&["--eval", "--strict", "--json", "-"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(expression.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// Whether files are expressions at all.
///
/// # Errors
/// What Nix says where one is not.
pub(crate) fn parse(files: &[PathBuf]) -> Result<(), String> {
    let output = program(&["--parse"]).args(files).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

/// A value in Rust as an expression, by way of JSON: independent of how `render nix` writes values.
pub(crate) fn given(value: &Value) -> String {
    // Both are parts of texts only, where JSON has another way to write them; between two quotes nothing else means anything.
    let json = serde_json::to_string(value).unwrap().replace('\'', "\\u0027").replace('$', "\\u0024");
    format!("(builtins.fromJSON ''{json}'')")
}

#[test]
fn what_is_wrong_is_told() {
    assert_eq!(evaluate("1 + 1"), Ok(Value::from(2)));
    assert!(evaluate("1 +").is_err() && evaluate("throw \"no\"").unwrap_err().contains("no"));
    let broken = tempfile::Builder::new().suffix(".nix").tempfile().unwrap();
    std::fs::write(broken.path(), "{ a = ; }").unwrap();
    assert!(parse(&[broken.path().to_owned()]).is_err());
    let odd = serde_json::json!({ "a": "''${x} $''{ \\ \n \" ''' '${y}" });
    assert_eq!(evaluate(&given(&odd)), Ok(odd));
}
