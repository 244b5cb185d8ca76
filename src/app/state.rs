//! What a feature keeps in memory for the whole process, by type.
//!
//! `App` stands below the features and cannot name their types; a feature asks for its own.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// One value of each type, made when it is first asked for.
#[derive(Default)]
pub struct FeatureStates(RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl FeatureStates {
    /// The value of type `T`: the same for every caller.
    pub fn get<T: Default + Any + Send + Sync>(&self) -> Arc<T> {
        if let Some(found) = self.find() {
            return found;
        }
        let made: Arc<T> = Arc::default();
        let kept = Arc::clone(self.0.write().entry(TypeId::of::<T>()).or_insert(made.clone()));
        kept.downcast().unwrap_or(made)
    }

    fn find<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let kept = self.0.read().get(&TypeId::of::<T>()).map(Arc::clone)?;
        kept.downcast().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn everybody_gets_the_same_value_of_a_type() {
        let states = FeatureStates::default();
        states.get::<AtomicU32>().store(7, Ordering::SeqCst);
        assert_eq!(states.get::<AtomicU32>().load(Ordering::SeqCst), 7);
        assert!(states.get::<RwLock<String>>().read().is_empty());
    }
}
