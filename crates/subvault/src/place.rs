//! Where a verb that only reads looks: at the targets of the configuration, or at a store named on the command line,
//! so that a machine that never saw the source can read it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use subvault_archive::inventory;
use subvault_archive::layout::Layout;
use subvault_jobs::setup::Setup;
use subvault_model::names::{HostName, TargetName};
use subvault_store::{Key, ObjectStore, Provider, S3Settings};

use crate::config::starter::quoted;
use crate::config::{ConfigError, read_credentials};
use crate::failure::Failure;

const LANES: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

/// Options that name a store, or choose among the configured ones.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// Only this target of the configuration
    #[arg(long, value_name = "NAME", conflicts_with = "store")]
    pub target: Option<TargetName>,
    /// A store without configuration: a directory, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// Whose streams, when it is not this machine
    #[arg(long, value_name = "HOST")]
    pub host: Option<HostName>,
    #[command(flatten)]
    bucket: BucketArgs,
}

/// Options that describe the bucket of `--store s3://…`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "With --store s3://…")]
pub struct BucketArgs {
    /// aws, backblaze-b2, wasabi, idrive-e2, hetzner, ceph-rgw or generic
    #[arg(long, value_parser = provider, default_value = "generic")]
    provider: Provider,
    /// The region, in the provider's spelling
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// The address, where it does not follow from provider and region
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// A file with aws_access_key_id and aws_secret_access_key; else the usual AWS chain is used
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,
}

fn provider(text: &str) -> Result<Provider, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| "there are aws, backblaze-b2, wasabi, idrive-e2, hetzner, ceph-rgw and generic".to_owned())
}

/// A store to read from.
pub struct Place {
    /// What it is called here.
    pub name: TargetName,
    /// The store.
    pub store: ObjectStore,
    /// The keys of the host that is meant.
    pub layout: Layout,
    /// Requests in flight.
    pub lanes: NonZeroU32,
}

impl PlaceArgs {
    /// The store named on the command line.
    ///
    /// # Errors
    /// When it cannot be opened, or has several hosts and none was named.
    pub fn explicit(&self, name: &str) -> Result<Place, Failure> {
        let store = self.bucket.open(name)?;
        let host = match &self.host {
            Some(host) => host.clone(),
            None => only_host(&store)?,
        };
        Ok(Place { name: command_line(), store, layout: Layout::new(host), lanes: LANES })
    }

    /// The targets of the configuration that are meant.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn configured<'a>(&self, setup: &'a Setup) -> Result<Vec<&'a subvault_jobs::setup::TargetSetup>, Failure> {
        let found: Vec<_> =
            setup.targets.iter().filter(|t| self.target.as_ref().is_none_or(|name| t.name == *name)).collect();
        match (found.is_empty(), &self.target) {
            (true, Some(name)) => Err(no_target(setup, name)),
            (true, None) => Err(ConfigError::general("the configuration has no [[target]]").into()),
            _ => Ok(found),
        }
    }

    /// The keys of the host that is meant.
    #[must_use]
    pub fn layout(&self, setup: &Setup) -> Layout {
        self.host.clone().map_or_else(|| setup.layout(), Layout::new)
    }
}

/// There is no such target.
pub fn no_target(setup: &Setup, name: &TargetName) -> Failure {
    let names = setup.targets.iter().map(|t| t.name.to_string()).collect::<Vec<_>>().join(", ");
    Failure::usage(format!("there is no target `{name}`"), format!("the configuration has {names}"))
}

fn command_line() -> TargetName {
    #[expect(clippy::expect_used, reason = "a constant that the type's own rules allow, held by a test")]
    "store".parse().expect("a plain word is a name")
}

fn only_host(store: &ObjectStore) -> Result<HostName, Failure> {
    let hosts = inventory::hosts(store).map_err(subvault_jobs::error::JobError::from)?;
    let names = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match hosts.len() {
        1 => hosts.into_iter().next().ok_or_else(|| Failure::usage("no host", "--host")),
        0 => Err(Failure::usage(
            format!("{} has nothing that subvault archived", store.describe()),
            "check the path or the prefix",
        )),
        _ => Err(Failure::usage("the store has streams of several hosts", format!("choose with --host: {names}"))),
    }
}

impl BucketArgs {
    /// Opens the store of that name.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(&self, name: &str) -> Result<ObjectStore, Failure> {
        match self.settings(name)? {
            None => Ok(ObjectStore::directory(Path::new(name))?),
            Some(settings) => Ok(ObjectStore::s3(&settings)?),
        }
    }

    /// Opens the store of that name; a directory is made if its parent is there (a disk that is not mounted must not
    /// be mistaken for an empty one).
    ///
    /// # Errors
    /// When it is not there.
    pub fn open_or_create(&self, name: &str) -> Result<ObjectStore, Failure> {
        let path = Path::new(name);
        match self.settings(name)? {
            None if path.parent().is_some_and(Path::is_dir) => Ok(ObjectStore::create_directory(path)?),
            _ => self.open(name),
        }
    }

    /// The lines of a configuration that name this store.
    ///
    /// # Errors
    /// When the name cannot be understood.
    pub fn lines(&self, name: &str) -> Result<Vec<String>, Failure> {
        let Some(settings) = self.settings(name)? else {
            if !Path::new(name).is_absolute() {
                return Err(Failure::usage(format!("the directory `{name}` must begin with /"), "give its whole path"));
            }
            return Ok(vec![format!("directory = {}", quoted(name))]);
        };
        let provider = serde_json::to_value(settings.provider).ok();
        let provider = provider.as_ref().and_then(|p| p.as_str()).unwrap_or("generic");
        let mut lines = vec![
            "[target.s3]".to_owned(),
            format!("provider = {}", quoted(provider)),
            format!("bucket = {}", quoted(&settings.bucket)),
            format!("region = {}", quoted(&settings.region)),
        ];
        lines.extend(settings.prefix.map(|p| format!("prefix = {}", quoted(p.as_str()))));
        lines.extend(settings.endpoint.map(|e| format!("endpoint = {}", quoted(&e))));
        let file = self.credentials_file.as_ref().map(|f| f.display().to_string());
        lines.extend(file.map(|f| format!("credentials_file = {}", quoted(&f))));
        Ok(lines)
    }

    fn settings(&self, name: &str) -> Result<Option<S3Settings>, Failure> {
        let Some(rest) = name.strip_prefix("s3://") else { return Ok(None) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut settings = S3Settings::new(self.provider, bucket, &self.region);
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() {
            let key = prefix.parse::<Key>();
            settings.prefix = Some(key.map_err(|e| Failure::usage(e.to_string(), "name it s3://BUCKET/PREFIX"))?);
        }
        settings.endpoint.clone_from(&self.endpoint);
        settings.credentials = read_credentials(self.credentials_file.as_deref(), None)?;
        Ok(Some(settings))
    }
}
