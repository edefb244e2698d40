"""What a finished run can become. It knows runs and the engine, and no task by name."""
