//! Databases: never restored over a server that runs. A snapshot is what a power cut leaves: the server puts itself in order
//! when it starts, from its own log.

use std::path::Path;

use subvault_model::facts::Use;

use super::host::{Host, Subvolume};
use super::page::{Page, Part, Place, Step};
use super::subvolume::{bring, roll_back};
use super::words::{Words, words};
use super::{Target, quote, shell};

/// What is known of a kind of server.
struct Server {
    kind: Use,
    page: &'static str,
    title: &'static str,
    /// Where its data is by convention; the first is the usual one.
    data: &'static [&'static str],
    /// Its service, by the distribution; the last one is everybody else's.
    service: &'static [(&'static str, &'static str)],
    /// The name of its process.
    process: &'static str,
    /// What it makes of a snapshot.
    recovery: &'static str,
    /// What a server that was killed leaves behind: a name below its data.
    left: Option<&'static str>,
    /// Waits until it answers.
    wait: &'static str,
    /// Questions to it, and the answers.
    asks: &'static [(&'static str, &'static str, &'static str)],
}

/// The directory of the snapshots is none of its databases, although it is listed among them.
const MARIADB_CHECK: &str = "mariadb --batch --skip-column-names -e 'SHOW DATABASES' | grep -v '^#mysql50#' \\
    | grep -vx -e information_schema -e performance_schema | xargs -d '\\n' mariadb-check --databases";

const SERVERS: [Server; 3] = [
    Server {
        kind: Use::PostgreSql,
        page: "postgresql",
        title: "PostgreSQL",
        data: &["/var/lib/postgresql", "/var/lib/pgsql", "/var/lib/postgres"],
        service: &[("", "postgresql")],
        process: "postgres",
        recovery: "PostgreSQL finds a snapshot as after a power cut, and replays its log from the last checkpoint: everything that was committed before the snapshot is there.",
        left: Some("postmaster.pid"),
        wait: "until runuser -u postgres -- pg_isready -q; do sleep 1; done",
        asks: &[
            ("It answers.", "runuser -u postgres -- psql -XAt -c 'SELECT 1'", "`1`."),
            (
                "It has finished replaying its log.",
                "runuser -u postgres -- psql -XAt -c 'SELECT pg_is_in_recovery()'",
                "`f`.",
            ),
            (
                "Every table can be read to its end. This takes as long as a dump.",
                "runuser -u postgres -- pg_dumpall > /dev/null",
                "nothing: all could be read.",
            ),
        ],
    },
    Server {
        kind: Use::MariaDb,
        page: "mariadb",
        title: "MariaDB",
        data: &["/var/lib/mysql", "/var/lib/mariadb"],
        service: &[("nixos", "mysql"), ("", "mariadb")],
        process: "mariadbd",
        recovery: "InnoDB finds a snapshot as after a power cut, and replays its log. Tables of MyISAM and Aria are whole where a hook locked them for the snapshot.",
        left: None,
        wait: "until mariadb-admin --silent ping; do sleep 1; done",
        asks: &[
            ("It answers.", "mariadb --batch --skip-column-names -e 'SELECT 1'", "`1`."),
            ("Every table is whole.", MARIADB_CHECK, "`OK` behind each table."),
        ],
    },
    Server {
        kind: Use::Redis,
        page: "redis",
        title: "Redis",
        data: &["/var/lib/redis"],
        service: &[("debian", "redis-server"), ("ubuntu", "redis-server"), ("", "redis")],
        process: "redis-server",
        recovery: "Redis reads `dump.rdb`, or its append-only file where it writes one: what was saved before the snapshot is there. A hook saves right before it.",
        left: None,
        wait: "until [ \"$(redis-cli ping)\" = PONG ]; do sleep 1; done",
        asks: &[
            ("It answers, and has read everything.", "redis-cli ping", "`PONG`."),
            ("It has about as many keys as it had.", "redis-cli dbsize", "the number of keys."),
        ],
    },
];

/// A page for each server that has data here.
pub(super) fn pages(host: &Host<'_>) -> Vec<Page> {
    SERVERS.iter().filter_map(|server| Database::find(host, server)).map(|database| database.page()).collect()
}

/// A server's data on this host.
struct Database<'h, 'a> {
    host: &'h Host<'a>,
    server: &'static Server,
    subvolume: &'h Subvolume<'a>,
    /// Whether nothing else is in its subvolume.
    is_alone: bool,
    data: &'h Path,
}

impl<'h, 'a> Database<'h, 'a> {
    fn find(host: &'h Host<'a>, server: &'static Server) -> Option<Self> {
        let by_place = |subvolume: &&Subvolume<'_>| server.data.iter().any(|data| subvolume.at == Path::new(data));
        let by_use =
            |subvolume: &&Subvolume<'_>| subvolume.seen.is_some_and(|(_, seen)| seen.uses.contains(&server.kind));
        let found = host
            .kept()
            .find(by_place)
            .or_else(|| host.kept().filter(by_use).max_by_key(|s| s.at.components().count()))?;
        let holds_more =
            found.is_root() || found.seen.is_some_and(|(_, seen)| seen.uses.iter().any(|one| *one != server.kind));
        let usual = Path::new(server.data.first()?);
        let data = if holds_more { usual } else { found.at.as_path() };
        Some(Self { host, server, subvolume: found, is_alone: !holds_more, data })
    }

    fn page(&self) -> Page {
        let title = self.server.title;
        let data = quote::shown(self.data);
        let mut parts = vec![if self.is_alone { self.snapshot() } else { self.out_of_more() }];
        if self.is_alone {
            parts.extend(self.host.targets_of(self.subvolume).into_iter().filter_map(|target| self.target(target)));
        }
        Page {
            name: self.server.page.to_owned(),
            title: words!("The database {}", title),
            when: words!("Data in {} is wrong or gone, or it does not start because its files are damaged. Its data is in {}.", title, data),
            at_hand: vec![
                "Roughly when the data was still right. What was written since then is lost: where only some rows are wrong, ask for a second server on another copy instead.".into(),
                self.server.recovery.into(),
                "Everybody who writes to it stopped.".into(),
            ],
            parts,
        }
    }

    fn service(&self) -> &'static str {
        let distribution = self.host.runbook.facts.machine.distribution.as_deref().unwrap_or_default();
        let found = self.server.service.iter().find(|(of, _)| of.is_empty() || *of == distribution);
        found.map_or(self.server.page, |(_, service)| service)
    }

    fn stop(&self) -> [Step; 2] {
        let (service, process) = (self.service(), self.server.process);
        [
            Step::new("Stop the server. Never go on while it runs: it would write into what comes back.")
                .run(Place::Here, format!("systemctl stop {service}")),
            Step::new("Make sure of it.")
                .run(Place::Here, format!("pgrep -a -x {process} || echo stopped"))
                .see("`stopped`. A line with a number is a server that still runs: stop that one too."),
        ]
    }

    fn start(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(left) = self.server.left {
            let find = format!("find {} -maxdepth 4 -type f -name {left} -print -delete", quote::path(self.data));
            let what = words!("Remove {}, which says that a server ran when the snapshot was taken.", left);
            steps.push(Step::new(what).run(Place::Here, find));
        }
        let started = Step::new("Start the server, and wait until it answers.")
            .run(Place::Here, format!("systemctl start {}", self.service()))
            .run(Place::Here, self.server.wait)
            .skip(Place::Here, format!("journalctl -u {} -n 20", self.service()), "there is no journal of systemd");
        steps.push(started.see("in the journal how it put its data in order."));
        steps
    }

    fn check(&self) -> Vec<Step> {
        let ask = |(what, command, see): &(&str, &str, &str)| Step::new(*what).run(Place::Here, *command).see(*see);
        self.server.asks.iter().map(ask).collect()
    }

    /// Stopped before, and started after.
    fn around(&self, inner: Part, title: impl Into<Words>) -> Part {
        let Part { steps, back, .. } = inner;
        Part::new(title)
            .steps(self.stop().into_iter().chain(steps).chain(self.start()))
            .check(self.check())
            .back(self.stop().into_iter().chain(back).chain(self.start()))
    }

    fn snapshot(&self) -> Part {
        let inner = roll_back(self.host, self.subvolume, Part::new("inside"));
        self.around(inner, "Back to a snapshot of this machine")
    }

    fn target(&self, target: &Target) -> Option<Part> {
        let (_, reach) = shell::reach(self.host, target, Place::Here);
        let inner = Part::new("inside").steps(reach);
        let inner = bring(self.host, self.subvolume, Some(target.name.as_str()), inner)?;
        let title = words!("No snapshot of this machine is good: out of {}", target.name);
        Some(self.around(inner, title.and(Words::page(&target.page(), "(more)"))))
    }

    /// The data is a directory of a subvolume that has more in it, which is left alone.
    fn out_of_more(&self) -> Part {
        let data = quote::path(self.data);
        let broken = quote::path(Path::new(&format!("{}.broken", self.data.display())));
        let brought = quote::path(Path::new(&format!("{}.brought", self.data.display())));
        let look =
            Step::new("Look which versions there are.").run(Place::Here, format!("subvault restore {data} --list"));
        let away = Step::new("Keep what is there aside.").run(Place::Here, format!("mv -T {data} {broken}"));
        let act = Step::new(
            "Bring it back out of the newest snapshot; an older one is chosen with `--at '2026-11-20 14:30'`.",
        )
        .run(Place::Here, format!("subvault restore {data} --yes"))
        .see("how many files were brought back.");
        let back = Step::new("What was there before comes back; what was brought is kept aside instead.")
            .run(Place::Here, format!("mv -T {data} {brought}\nmv -T {broken} {data}"));
        let inner = Part::new("inside").steps([look, away, act]).back([back]);
        self.around(inner, "Back to a snapshot of this machine")
    }
}
