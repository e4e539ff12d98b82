//! A child process that cannot outlive its owner.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// A child in a process group of its own, killed on drop, and by the kernel when this process dies.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` with both outputs in `log`.
    pub(super) fn spawn(command: &Command, log: File) -> io::Result<Self> {
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(name, value),
                None => guarded.env_remove(name),
            };
        }
        guarded.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        launch(guarded).map(|child| Self { child })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends `signal` to the whole group; nothing when it has ended.
    pub(super) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // An ended child was reaped, and its number may be somebody else's by now.
        if self.ended()?.is_some() {
            return Ok(());
        }
        let group = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let group = group.ok_or_else(|| io::Error::other("process id out of range"))?;
        Ok(kill_process_group(group, signal)?)
    }

    /// Kills the group and waits until it is gone.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait().map(drop)
    }

    /// Asks the server to end, and kills it when it has not after `patience`.
    pub(super) async fn stop(&mut self, patience: Duration) -> io::Result<()> {
        self.signal(Signal::TERM)?;
        // A suspended process would keep the signal for later.
        self.signal(Signal::CONT)?;
        let deadline = Instant::now() + patience;
        while self.ended()?.is_none() {
            if Instant::now() >= deadline {
                return self.kill();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

type Order = (Command, Sender<io::Result<Child>>);

/// Spawns on a thread that lives as long as this process: the kernel ties the death signal to the thread
/// that spawned, and a thread of a test or of a runtime may end long before the server is done with.
fn launch(command: Command) -> io::Result<Child> {
    static LAUNCHER: OnceLock<Option<Sender<Order>>> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let (orders, inbox) = channel();
        let thread = thread::Builder::new().name("servers".into()).spawn(move || serve(&inbox));
        thread.ok().map(|_| orders)
    });
    let gone = || io::Error::other("the thread that starts servers is gone");
    let (reply, answer) = channel();
    launcher.as_ref().and_then(|orders| orders.send((command, reply)).ok()).ok_or_else(gone)?;
    answer.recv().map_err(|_| gone())?
}

fn serve(orders: &Receiver<Order>) {
    while let Ok((mut command, reply)) = orders.recv() {
        // A caller that went away drops the child without ending it, so it is ended here.
        if let Err(unclaimed) = reply.send(command.spawn())
            && let Ok(mut child) = unclaimed.0
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
