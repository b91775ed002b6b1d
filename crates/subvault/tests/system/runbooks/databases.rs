//! The databases of the server: each runs, and what was in it is dropped. By every way it has its data again, and going back it
//! has not.

use std::thread;

use super::server::{TREES, machine};
use super::trial::Compared::Says;
use super::trial::{Trial, Trials};

/// A server, how it is started, what loses data, how data is asked for, and what is answered with it and without.
struct Server {
    page: &'static str,
    start: &'static str,
    drop: &'static str,
    ask: &'static str,
    answers: [&'static str; 2],
    /// There is no journal of systemd.
    not_run: &'static str,
}

const SERVERS: [Server; 3] = [
    Server {
        page: "postgresql",
        start: "systemctl start postgresql > /dev/null; until runuser -u postgres -- pg_isready -q; do sleep 0.1; done",
        drop: "runuser -u postgres -- psql -Xqc 'DROP TABLE t'",
        ask: "runuser -u postgres -- psql -XAt -c 'SELECT count(*) FROM t' 2>&1",
        answers: ["1000", "does not exist"],
        not_run: "journalctl -u postgresql -n 20",
    },
    Server {
        page: "mariadb",
        start: "systemctl start mariadb > /dev/null; until mariadb-admin --silent ping; do sleep 0.1; done",
        drop: "mariadb -e 'DROP TABLE d.t'",
        ask: "mariadb --batch --skip-column-names -e 'SELECT COUNT(*) FROM d.t' 2>&1",
        answers: ["1000", "doesn't exist"],
        not_run: "journalctl -u mariadb -n 20",
    },
    Server {
        page: "redis",
        start: "systemctl start redis-server > /dev/null; until [ \"$(redis-cli ping)\" = PONG ]; do sleep 0.1; done",
        drop: "redis-cli del answer; redis-cli save",
        ask: "echo \"answer: $(redis-cli get answer).\"",
        answers: ["answer: 42.", "answer: ."],
        not_run: "journalctl -u redis-server -n 20",
    },
];

const PARTS: [&str; 4] = [
    "Back to a snapshot",
    "No snapshot of this machine is good: out of `ovh`",
    "No snapshot of this machine is good: out of `s3`",
    "No snapshot of this machine is good: out of `glacier`",
];

/// At the same time, each on a machine of its own: most of it is waiting for a server to start or to stop.
#[test]
fn every_command_for_databases_works_as_it_stands() {
    thread::scope(|scope| {
        for server in &SERVERS {
            scope.spawn(|| follow(server));
        }
    });
}

fn follow(server: &Server) {
    let (machine, around, known) = machine();
    around.thaw();
    let mut trials = Trials::new(machine, &known.runbook(), TREES);
    trials.only(&[server.page]);
    for part in PARTS {
        let trial = Trial::new(server.page, part, server.drop, Says(server.ask, server.answers));
        trials.attempt(&Trial { before: server.start, ..trial });
    }
    trials.tell(server.page, &[server.not_run]);
}
