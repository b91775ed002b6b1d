//! What comes back is what went in.

use subvault_archive::age_file::header::Identity;
use subvault_archive::error::ArchiveError;
use subvault_archive::inventory;
use subvault_store::{Credentials, Key, ObjectStore, Provider, S3Settings, Secret};
use subvault_testkit::s3_fake::{Fake, FakeOptions};
use tempfile::TempDir;

use crate::support::{CHUNK, PART, Place, secret, send_stream};

fn bucket(fake: &Fake) -> Place {
    let mut settings = S3Settings::new(Provider::Aws, fake.bucket(), "us-east-1");
    settings.endpoint = Some(fake.endpoint());
    settings.path_style = Some(true);
    settings.prefix = Some("in/here".parse::<Key>().unwrap());
    settings.credentials = Credentials::Static {
        access_key: fake.access_key().to_owned(),
        secret_key: Secret::new(fake.secret_key()),
        session_token: None,
    };
    Place::at(ObjectStore::s3(&settings).unwrap(), TempDir::new().unwrap())
}

#[test]
fn every_setting_comes_back_from_directories_and_buckets() {
    let fake = Fake::start(FakeOptions::default());
    for place in [Place::directory(), bucket(&fake)] {
        let mut attempt = 0;
        for bytes in [0, 100, PART as usize * 2, CHUNK as usize * 5 / 2] {
            let stream = send_stream(bytes, 1);
            for (compressed, encrypted) in [(true, true), (true, false), (false, true), (false, false)] {
                attempt += 1;
                let identity = Identity::generate();
                let recipients = [identity.recipient()];
                let (secret, header) = secret(&recipients);
                let sealed = encrypted.then_some((&secret, header.as_slice(), recipients.as_slice()));
                let begun = place.begin(compressed, sealed, attempt);
                let written = place.write(&begun, &mut stream.as_slice(), false).unwrap();
                let manifest = place.publish(&begun, written);
                let series = inventory::take_series(&place.store, &place.layout, &place.subvolume).unwrap();
                assert_eq!(series.streams[&begun.stream].manifest, manifest);
                assert!(series.incomplete().is_empty() && series.unreadable.is_empty());
                let back = place.read(&manifest, &[Identity::generate(), identity]).unwrap();
                assert!(back == stream, "{bytes} bytes, compressed {compressed}, encrypted {encrypted}");
            }
        }
        let series = inventory::take_series(&place.store, &place.layout, &place.subvolume).unwrap();
        assert_eq!(series.streams.len(), 16);
    }
}

#[test]
fn nobody_else_can_read_it() {
    let place = Place::directory();
    let recipients = [Identity::generate().recipient()];
    let (secret, header) = secret(&recipients);
    let begun = place.begin(true, Some((&secret, &header, &recipients)), 1);
    let written = place.write(&begun, &mut send_stream(1000, 1).as_slice(), false).unwrap();
    let manifest = place.publish(&begun, written);
    let wrong = place.read(&manifest, &[Identity::generate()]).unwrap_err();
    assert!(matches!(wrong, ArchiveError::NoIdentityMatches(_)), "{wrong}");
    let none = place.read(&manifest, &[]).unwrap_err();
    assert!(matches!(none, ArchiveError::NoIdentity(_)), "{none}");
}

#[test]
fn a_stream_that_is_not_valid_is_never_all_there() {
    let place = Place::directory();
    let stream = send_stream(100_000, 1);
    let begun = place.begin(true, None, 1);
    let cut = &stream[..stream.len() - 10];
    let mut damaged = stream.clone();
    damaged[50_000] ^= 1;
    for mut source in [cut, damaged.as_slice(), b"nonsense".as_slice(), b"".as_slice()] {
        let error = place.write(&begun, &mut source, false).unwrap_err();
        assert!(matches!(error, ArchiveError::Stream(_)), "{error}");
    }
}
