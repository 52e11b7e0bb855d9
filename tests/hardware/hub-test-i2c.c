// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * An I2C bus with one display on it, for tests: whatever is written to the display can be read from /dev/hub-test-i2c, as
 * records of two bytes of length (little end first) and the bytes of one transfer. A read gives the display's status.
 * Nothing else answers on the bus.
 */
#include <linux/i2c.h>
#include <linux/kfifo.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/wait.h>

/* Some hundred pictures. */
#define ROOM 262144
#define DISPLAY_ADDRESS 0x3C
/* What an SSD1306 that is on says when it is read. */
#define DISPLAY_STATUS 0x43

static DEFINE_KFIFO(taken, u8, ROOM);
static DEFINE_MUTEX(lock);
static DECLARE_WAIT_QUEUE_HEAD(more);

static int keep(const struct i2c_msg *msg)
{
	u8 length[2] = { msg->len & 0xFF, msg->len >> 8 };
	int error = 0;

	mutex_lock(&lock);
	if (kfifo_avail(&taken) >= sizeof(length) + msg->len) {
		kfifo_in(&taken, length, sizeof(length));
		kfifo_in(&taken, msg->buf, msg->len);
	} else {
		error = -ENOSPC;
	}
	mutex_unlock(&lock);
	wake_up_interruptible(&more);
	return error;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *msgs, int count)
{
	int index, error;

	for (index = 0; index < count; index++) {
		if (msgs[index].addr != DISPLAY_ADDRESS)
			return -ENXIO;
		if (msgs[index].flags & I2C_M_RD) {
			memset(msgs[index].buf, DISPLAY_STATUS, msgs[index].len);
			continue;
		}
		error = keep(&msgs[index]);
		if (error)
			return error;
	}
	return count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.name = "hub-test-i2c",
	.algo = &algorithm,
	/* The bus on a Raspberry Pi's header. */
	.nr = 1,
};

static ssize_t taken_read(struct file *file, char __user *to, size_t size, loff_t *at)
{
	unsigned int copied = 0;
	int error;

	error = wait_event_interruptible(more, !kfifo_is_empty(&taken));
	if (error)
		return error;
	mutex_lock(&lock);
	error = kfifo_to_user(&taken, to, size, &copied);
	mutex_unlock(&lock);
	return error ? error : copied;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.read = taken_read,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hub-test-i2c",
	.fops = &operations,
};

static int __init begin(void)
{
	int error = misc_register(&device);

	if (error)
		return error;
	error = i2c_add_numbered_adapter(&adapter);
	if (error)
		misc_deregister(&device);
	return error;
}

static void __exit end(void)
{
	i2c_del_adapter(&adapter);
	misc_deregister(&device);
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("I2C bus that keeps what a display was sent");
MODULE_LICENSE("Dual MIT/GPL");
