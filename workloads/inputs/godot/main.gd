# SPDX-License-Identifier: MIT
# Forty bodies more in each frame, eight hundred at most; all of them move.
extends Node2D

const FRAMES = 300
const MOST_BODIES = 800
var frame = 0
var live = []

func _ready():
    seed(42)
    Engine.iterations_per_second = 60

func _physics_process(_delta):
    frame += 1
    print("frame %d" % frame)
    for i in range(40):
        live.append(add_body(i))
    while live.size() > MOST_BODIES:
        live.pop_front().queue_free()
    for body in live:
        body.move_and_collide(Vector2(1, 0.5))
    if frame >= FRAMES:
        get_tree().quit()

func add_body(i):
    var circle = CircleShape2D.new()
    circle.radius = 4 + i % 5
    var shape = CollisionShape2D.new()
    shape.shape = circle
    var body = KinematicBody2D.new()
    body.add_child(shape)
    body.position = Vector2((i * 37) % 1000, (frame * 13) % 600)
    body.set_meta("info", {"id": i, "name": "body_%d_%d" % [frame, i], "path": [i, frame]})
    add_child(body)
    return body
