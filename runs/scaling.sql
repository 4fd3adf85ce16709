-- Where does the transition lie, how long does an iteration take with the measures between, and how much memory, as p grows?
SELECT p, status, step AS iterations, grokked_step AS transition, round(test_accuracy, 4) AS test_accuracy,
       round(wall_seconds / step, 3) AS seconds_an_iteration,
       (SELECT round(detail / 1e6) FROM event e WHERE e.run_id = run_summary.run_id AND kind = 'peak_memory') AS megabytes
FROM run_summary
WHERE method = 'rfm' AND step > 0
ORDER BY p;
