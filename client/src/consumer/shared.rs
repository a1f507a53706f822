//! What a consumer's front door, its driver and its listener share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::activity::Activity;
use super::handing::Handing;
use super::listener::RebalanceListener;
use super::machine::Machine;

/// One consumer's state, behind one lock, and the two bells: one for the driver, one for a receiver.
#[derive(Debug)]
pub(super) struct Shared {
    machine: Mutex<Machine>,
    pub(super) activity: Arc<Activity>,
    /// Whose turn it is to receive. Held while a receiver waits: others wait for their turn.
    pub(super) turn: tokio::sync::Mutex<Handing>,
    listener: Mutex<Option<Arc<dyn RebalanceListener>>>,
    woken: Notify,
    ready: Notify,
}

impl Shared {
    pub(super) fn new(machine: Machine, activity: Arc<Activity>) -> Self {
        Self {
            machine: Mutex::new(machine),
            turn: tokio::sync::Mutex::new(Handing::new(activity.clone())),
            activity,
            listener: Mutex::new(None),
            woken: Notify::new(),
            ready: Notify::new(),
        }
    }

    /// Locks the machine. Whoever changes it wakes the driver afterwards.
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        // A panic under the lock is a bug of ours; the state it leaves is still the best there is.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_listener(&self, listener: Option<Arc<dyn RebalanceListener>>) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener;
    }

    pub(super) fn listener(&self) -> Option<Arc<dyn RebalanceListener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The machine changed.
    pub(super) fn wake_driver(&self) {
        self.woken.notify_one();
    }

    /// Until the machine is changed; at once if it was since the last time.
    pub(super) async fn driver_woken(&self) {
        self.woken.notified().await;
    }

    /// There is something for a receiver.
    pub(super) fn wake_receiver(&self) {
        self.ready.notify_one();
    }

    /// Until there is something; at once if there was since the last time.
    pub(super) async fn receiver_woken(&self) {
        self.ready.notified().await;
    }
}
