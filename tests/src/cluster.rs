//! Several frontends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Frontend, Output, eventually};

const FORM_LIMIT: Duration = Duration::from_secs(60);
const ELECTION_LIMIT: Duration = Duration::from_secs(15);

/// A cluster in a temporary folder.
pub struct Cluster {
    /// The frontends; the first one founded the cluster.
    pub frontends: Vec<Frontend>,
    dir: PathBuf,
    /// Removed after the frontends have ended.
    temporary: Option<TempDir>,
}

impl Cluster {
    /// Starts `size` frontends and waits until all of them vote.
    ///
    /// # Panics
    /// When they do not come together.
    pub fn start(size: usize) -> Self {
        Self::start_with(size, None)
    }

    /// As [`start`](Self::start), with another first module than the catalog.
    ///
    /// # Panics
    /// When they do not come together.
    pub fn start_with(size: usize, module: Option<&str>) -> Self {
        let dir = TempDir::new().expect("a test may create folders");
        let mut cluster = Self::start_in(dir.path(), size, module);
        cluster.temporary = Some(dir);
        cluster
    }

    /// As [`start_with`](Self::start_with), in a folder that is kept.
    ///
    /// # Panics
    /// When they do not come together.
    pub fn start_in(dir: &Path, size: usize, module: Option<&str>) -> Self {
        Self::start_prepared(dir, size, module, |_, _| {})
    }

    /// As [`start_in`](Self::start_in); `prepare` is given each frontend, with its position, before
    /// it starts.
    ///
    /// # Panics
    /// When they do not come together.
    pub fn start_prepared(
        dir: &Path,
        size: usize,
        module: Option<&str>,
        prepare: impl Fn(usize, &mut Frontend),
    ) -> Self {
        let mut first = Frontend::new(&dir.join("fe1"), None, module);
        prepare(0, &mut first);
        first.start();
        first.wait_ready();
        let mut cluster = Self { frontends: vec![first], dir: dir.to_owned(), temporary: None };
        for at in 1..size {
            cluster.add_prepared(|frontend| prepare(at, frontend));
        }
        cluster.wait_whole();
        cluster
    }

    /// A cluster of one frontend that runs, in a folder that is kept, to be [added](Self::add) to.
    pub fn grow(dir: &Path, first: Frontend) -> Self {
        Self { frontends: vec![first], dir: dir.to_owned(), temporary: None }
    }

    /// Registers one more frontend and starts it.
    ///
    /// # Panics
    /// When it cannot be registered.
    pub fn add(&mut self) {
        self.add_prepared(|_| {});
    }

    /// Registers one more frontend as an observer and starts it. It comes last.
    ///
    /// # Panics
    /// When it cannot be registered.
    pub fn add_observer(&mut self) {
        self.add_observer_prepared(|_| {});
    }

    /// As [`add_observer`](Self::add_observer); `prepare` is given it before it starts.
    ///
    /// # Panics
    /// When it cannot be registered.
    pub fn add_observer_prepared(&mut self, prepare: impl FnOnce(&mut Frontend)) {
        self.add_kind("OBSERVER", prepare);
    }

    fn add_prepared(&mut self, prepare: impl FnOnce(&mut Frontend)) {
        self.add_kind("FOLLOWER", prepare);
    }

    fn add_kind(&mut self, kind: &str, prepare: impl FnOnce(&mut Frontend)) {
        let number = self.frontends.len() + 1;
        let helper = self.frontends[0].address();
        let dir = self.dir.join(format!("fe{number}"));
        let mut next = Frontend::new(&dir, Some(helper), None);
        prepare(&mut next);
        let add = format!("ALTER SYSTEM ADD {kind} \"{}\"", next.address());
        self.frontends[0].mariadb().ok(&add);
        next.start();
        self.frontends.push(next);
    }

    /// Waits until every frontend is alive, joined and serves.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn wait_whole(&mut self) {
        let size = self.frontends.len();
        eventually("all frontends have joined", FORM_LIMIT, || {
            let shown = self.frontends[0].mariadb().run("SHOW FRONTENDS").ok()?;
            let all =
                |name| shown.column(name).iter().filter(|cell| **cell == "true").count() == size;
            (all("Alive") && all("Join")).then_some(())
        });
        for frontend in &mut self.frontends {
            frontend.wait_ready();
        }
    }

    /// Position of the leader, as the frontend at `asked` sees it.
    ///
    /// # Panics
    /// When there is none for too long.
    pub fn leader(&self, asked: usize) -> usize {
        eventually("a leader is known", ELECTION_LIMIT, || {
            let shown = self.frontends[asked].mariadb().run("SHOW FRONTENDS").ok()?;
            let ports = shown.column("EditLogPort");
            let alive = shown.column("Alive");
            let at = shown.column("Role").iter().position(|role| *role == "LEADER")?;
            let port: u16 = ports[at].parse().ok()?;
            let leader = self.frontends.iter().position(|f| f.edit_log_port() == port)?;
            (alive[at] == "true").then_some(leader)
        })
    }

    /// Position of a frontend that is not the leader.
    pub fn follower(&self) -> usize {
        (self.leader(0) + 1) % self.frontends.len()
    }

    /// Waits until all frontends show the same applied LSN, and checks that they then show the same
    /// digest. Gives what was shown.
    ///
    /// # Panics
    /// When they do not settle or differ.
    pub fn assert_agreement(&self, asked: usize) -> Output {
        eventually("all frontends have applied the same LSN", ELECTION_LIMIT, || {
            let shown = self.frontends[asked].mariadb().run("SHOW FRONTENDS").ok()?;
            let same = |name| {
                let cells = shown.column(name);
                cells.iter().all(|cell| *cell == cells[0] && *cell != "NULL")
            };
            if !same("AppliedLsn") {
                return None;
            }
            assert!(same("StateDigest"), "frontends disagree at one LSN:\n{}", shown.text);
            Some(shown)
        })
    }
}
