"""How the demo's model was trained: see docs/demo-model.md."""
