//! Access keys from a file or a command; never from the configuration or the command line.
//!
//! Both hold lines as in the AWS tools' credentials file: `aws_access_key_id = …`, `aws_secret_access_key = …`, and
//! where they are temporary `aws_session_token = …`. Section headers and comments are passed over.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use subvault_store::{Credentials, Secret};

use super::error::ConfigError;

const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the access key from where the configuration says.
///
/// # Errors
/// When it is not there, others can read the file, or the command fails.
pub fn read(file: Option<&Path>, command: Option<&[String]>) -> Result<Credentials, ConfigError> {
    match (file, command) {
        (None, None) => Ok(Credentials::Chain),
        // Both are refused with the configuration.
        (Some(file), _) => {
            let path = place(file);
            refuse_public(&path)?;
            let text = std::fs::read_to_string(&path).map_err(|e| {
                ConfigError::general(format!("cannot read the credentials file {}: {e}", path.display()))
            })?;
            understand(&text, &format!("the credentials file {}", path.display()))
        }
        (None, Some(command)) => {
            let argv: Vec<OsString> = command.iter().map(OsString::from).collect();
            let output = subvault_host::process::run(&argv, COMMAND_TIMEOUT)
                .map_err(|e| ConfigError::general(format!("the credentials command failed: {e}")))?;
            // Its output is never shown: it holds the secret.
            let text = String::from_utf8(output.stdout.clone())
                .map_err(|_| ConfigError::general("the credentials command prints something that is not text"))?;
            understand(&text, "what the credentials command prints")
        }
    }
}

/// A plain name is looked for among the credentials that the service manager passes on.
fn place(file: &Path) -> PathBuf {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(directory) if file.is_relative() => Path::new(&directory).join(file),
        _ => file.to_owned(),
    }
}

fn refuse_public(path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    let public = std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
    if public {
        let what = format!("others can read the credentials file {}", path.display());
        return Err(ConfigError::general(what).with_hint(format!("chmod 600 {}", path.display())));
    }
    Ok(())
}

fn understand(text: &str, what: &str) -> Result<Credentials, ConfigError> {
    let value = |wanted: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == wanted).map(|(_, v)| v.to_owned())
    };
    match (value("aws_access_key_id"), value("aws_secret_access_key")) {
        (Some(access_key), Some(secret)) => Ok(Credentials::Static {
            access_key,
            secret_key: Secret::new(secret),
            session_token: value("aws_session_token").map(Secret::new),
        }),
        _ => Err(ConfigError::general(format!("{what} has no aws_access_key_id and aws_secret_access_key"))
            .with_hint("write a line `aws_access_key_id = …` and a line `aws_secret_access_key = …`")),
    }
}
