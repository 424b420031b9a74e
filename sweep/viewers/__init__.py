"""Output for third-party viewers: TensorBoard, W&B, MLflow and optuna-dashboard.

Public: `follow.following`; `require` and `write_new` of `log_writer`; `optuna_dashboard.Journal`.
"""
