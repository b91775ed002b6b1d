//! Places as btrbk names them: a path here, or one on a host that is reached by SSH.

use std::fmt;

/// A place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Where, if not here.
    pub host: Option<Host>,
    /// The whole path, without a slash at its end.
    pub path: String,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    /// A name or an address.
    pub name: String,
    /// The port, if one is said.
    pub port: Option<u16>,
}

impl Url {
    /// Reads `/path`, `host:/path` and `ssh://host[:port]/path`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is neither a whole path nor ssh://HOST/PATH");
        if text.starts_with('/') {
            return Ok(Self { host: None, path: tidy(text)? });
        }
        let (host, path) = match text.strip_prefix("ssh://") {
            Some(rest) => rest.split_at(rest.find('/').ok_or_else(bad)?),
            None => {
                let at = text.find(":/").ok_or_else(bad)?;
                (&text[..at], &text[at + 1..])
            }
        };
        Ok(Self { host: Some(Host::read(host).ok_or_else(bad)?), path: tidy(path)? })
    }

    /// A place below this one.
    pub(super) fn join(&self, below: &str) -> Result<Self, String> {
        let below = tidy(below)?;
        let path = match below.as_str() {
            "." | "" => self.path.clone(),
            _ => format!("{}/{below}", self.path.trim_end_matches('/')),
        };
        Ok(Self { host: self.host.clone(), path })
    }

    /// The last name in its path, which btrbk calls snapshots by.
    pub(super) fn base(&self) -> &str {
        match self.path.rsplit('/').next() {
            None | Some("") => "ROOT",
            Some(base) => base,
        }
    }
}

impl Host {
    fn read(text: &str) -> Option<Self> {
        let is_name = |name: &str| {
            let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
            let numeric = |c: char| c.is_ascii_hexdigit() || ":.".contains(c);
            let starts_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric());
            inside.map_or(starts_plain && name.chars().all(plain), |inside| inside.chars().all(numeric))
        };
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        is_name(name).then(|| Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => f.write_str(&self.path),
            Some(host) => write!(f, "ssh://{host}{}", self.path),
        }
    }
}

/// A path without what means nothing in it; one that climbs is refused, as by btrbk.
fn tidy(path: &str) -> Result<String, String> {
    let parts: Vec<&str> = path.trim().split('/').collect();
    if parts.contains(&"..") {
        return Err(format!("`{path}` climbs out of its directory"));
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = parts.into_iter().filter(|part| !matches!(*part, "" | ".")).collect();
    Ok(format!("{root}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        for (text, shown) in [
            ("/", "/"),
            ("/mnt//a/./b/", "/mnt/a/b"),
            ("host.example:/b", "ssh://host.example/b"),
            ("ssh://host:2222/b/", "ssh://host:2222/b"),
            ("[2001:db8::7]:/b", "ssh://[2001:db8::7]/b"),
            ("ssh://[2001:db8::7]:22/b", "ssh://[2001:db8::7]:22/b"),
        ] {
            assert_eq!(Url::read(text).unwrap().to_string(), shown);
        }
        for text in ["", "a/b", "ssh://host", "-oProxyCommand=x:/b", "ssh://host:99999/b", "/a/../b"] {
            assert!(Url::read(text).is_err(), "{text}");
        }
    }
}
