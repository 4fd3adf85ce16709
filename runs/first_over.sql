-- At which step did each run first pass a test accuracy of 50, 95 and 99 %?
WITH accuracy AS (SELECT id FROM metric_name WHERE name = 'test_accuracy')
SELECT r.id AS run_id, r.name AS run, r.method,
       (SELECT m.step FROM metric m WHERE m.run_id = r.id AND m.metric_id = a.id AND m.value >= 0.50 ORDER BY m.step LIMIT 1) AS over_50,
       (SELECT m.step FROM metric m WHERE m.run_id = r.id AND m.metric_id = a.id AND m.value >= 0.95 ORDER BY m.step LIMIT 1) AS over_95,
       (SELECT m.step FROM metric m WHERE m.run_id = r.id AND m.metric_id = a.id AND m.value >= 0.99 ORDER BY m.step LIMIT 1) AS over_99,
       r.step_unit
FROM run r JOIN accuracy a
ORDER BY r.id;
